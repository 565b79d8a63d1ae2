//! The command line: one file a command, each of which builds a request, calls one service, and prints.

mod agent;
mod cert;
mod command_line;
mod config;
mod connector;
mod context;
mod copies;
mod failure;
mod find_machine;
mod forward;
mod global;
mod host_options;
mod identity;
mod key_args;
mod log;
mod login;
mod login_names;
mod logout;
mod one_connection;
mod path_arg;
mod proxy;
mod rotate;
mod route_args;
mod several;
mod ssh;
mod status;
mod ui;
mod why;
mod wrong_login_name;

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tokio::runtime::{Builder, LocalOptions};

use self::context::Context;
use self::global::Global;
use self::ui::{Format, Ui};
use crate::failure::{Failure, last};
use crate::host::{Host, process};

/// Sign in to Azure Linux machines with short-lived OpenSSH certificates from Entra ID
///
/// After `entra-ssh login` and `entra-ssh config add web01`, plain `ssh web01` works from then on, and so do scp, sftp,
/// rsync, git, Ansible and VS Code. The certificate renews itself.
#[derive(Debug, Parser)]
#[command(name = "entra-ssh", version, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Login(login::LoginArgs),
    Logout(logout::LogoutArgs),
    Status(status::StatusArgs),
    Cert(cert::CertArgs),
    Ssh(ssh::SshArgs),
    /// Connect to an Azure VM, like `az ssh vm`; same as ssh
    #[command(
        after_help = "Examples:\n  entra-ssh vm vm01 --prefer-private-ip\n  entra-ssh vm -g rg-web -n vm01 -- uptime\n  \
        entra-ssh vm --ip 10.0.0.4"
    )]
    Vm(ssh::SshArgs),
    /// Connect to an Arc-enabled server, like `az ssh arc`; same as ssh
    #[command(
        after_help = "Examples:\n  entra-ssh arc web01\n  entra-ssh arc -g rg-web -n web01 --local-user root"
    )]
    Arc(ssh::SshArgs),
    Config(config::ConfigArgs),
    Proxy(proxy::ProxyArgs),
    Forward(forward::ForwardArgs),
    Agent(agent::AgentArgs),
    Rotate(rotate::RotateArgs),
    Why(why::WhyArgs),
}

/// Parses the command line, runs the command, and returns the exit status.
#[must_use]
pub fn run() -> ExitCode {
    let Cli { global, command } = match command_line::parse(process::arguments()) {
        Ok(cli) => cli,
        Err(refusal) => return tell(&refusal),
    };
    let ui = Ui::new(global.output, global.quiet);
    process::harden();
    let outcome = log::start(global.verbose, global.log_file.as_deref())
        .and_then(|()| Host::of_this_process().map_err(Failure::from))
        .and_then(|host| run_command(ui, host, global, command));
    match outcome {
        Ok(status) => ExitCode::from(status),
        Err(failure) => {
            ui.fail(&failure);
            failure::exit_status(&failure)
        }
    }
}

/// Prints help or version, or what is wrong with the command line, and returns the exit status.
fn tell(refusal: &clap::Error) -> ExitCode {
    let printed = refusal.print().and_then(|()| io::stdout().flush());
    if refusal.use_stderr() {
        return ExitCode::from(2);
    }
    match ui::printed_or_failed(printed) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            Ui::new(Format::Text, false).fail(&failure);
            failure::exit_status(&failure)
        }
    }
}

fn run_command(ui: Ui, host: Host, global: Global, command: Command) -> Result<u8, Failure> {
    let context = Context::new(host, global)?;
    // `status` must not replace the failure that the user looks into.
    let is_recorded = !matches!(command, Command::Status(_));
    // Local, so that the runtime of several threads, which zbus asks tokio for, is not linked, nor libm with it.
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build_local(LocalOptions::default())
        .map_err(|error| Failure::new("cannot start the runtime").caused_by(&error))?;
    let outcome = runtime.block_on(async {
        match command {
            Command::Login(args) => login::run(ui, &context, args).await,
            Command::Logout(args) => logout::run(ui, &context, args).await,
            Command::Status(args) => status::run(ui, &context, args).await,
            Command::Cert(args) => cert::run(ui, &context, args).await,
            Command::Ssh(args) | Command::Vm(args) | Command::Arc(args) => {
                return ssh::run(ui, &context, args).await;
            }
            Command::Config(args) => config::run(ui, &context, args).await,
            Command::Proxy(args) => return proxy::run(ui, &context, args).await,
            Command::Forward(args) => forward::run(ui, &context, args).await,
            Command::Agent(args) => agent::run(ui, &context, args).await,
            Command::Rotate(args) => rotate::run(ui, &context, args).await,
            Command::Why(args) => why::run(ui, &context, &args).await,
        }
        .map(|()| 0)
    });
    if let Err(failure) = &outcome
        && is_recorded
    {
        last::keep(&context.host, failure);
    }
    // A thread that waits for standard input or a keyring must not hold up the end.
    runtime.shutdown_background();
    outcome
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn without_example(command: &clap::Command, name: &str, found: &mut Vec<String>) {
        let is_shown = command.get_after_help().is_some_and(|help| {
            let help = help.to_string();
            help.starts_with("Examples:\n") && help.contains(name)
        });
        if !is_shown {
            found.push(name.to_owned());
        }
        // What stands below `agent` and `cert` is shown by their examples.
        if command.get_name() == "config" {
            for below in command.get_subcommands() {
                without_example(below, below.get_name(), found);
            }
        }
    }

    #[test]
    fn every_command_shows_an_example() {
        let mut found = Vec::new();
        for command in Cli::command().get_subcommands() {
            without_example(command, command.get_name(), &mut found);
        }
        assert!(found.is_empty(), "{found:?}");
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_login_name_that_looks_like_an_option_is_one() {
        for command in ["proxy --port 22 --ip 10.0.0.4", "rotate"] {
            let line = format!("entra-ssh {command} --login-name -dash@contoso.com");
            let parsed = Cli::try_parse_from(line.split(' '));
            assert!(parsed.is_ok(), "{parsed:?}");
        }
    }
}
