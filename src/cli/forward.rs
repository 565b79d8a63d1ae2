//! A local port that leads to a machine, for whatever knows no `ProxyCommand`.

mod machine;

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

use self::machine::{Machine, Way};
use super::context::Context;
use super::one_connection;
use super::ui::Ui;
use crate::agent::ask::CertificateAnswer;
use crate::failure::{Failure, FailureKind, last};
use crate::host::interrupts::Interrupts;
use crate::host::liveness;
use crate::ids::{Address, Principal, ResourceGroup};
use crate::ssh_config::{Value, host_key_alias, shell_word};

/// How many connections are open at once; the next one waits until another ends.
const MAX_CONNECTIONS: usize = 256;
/// How long what is open may go on once this was asked to stop.
const STOP_LIMIT: Duration = Duration::from_secs(10);
/// How long is waited when the system cannot take a connection, for want of descriptors, say.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Open a local port that leads to a machine, for clients without `ProxyCommand`
///
/// Each connection to the port is one to the machine, with credentials that are valid when it is opened, so that this can
/// stay for days. It stops on Ctrl-C: what is open may end within ten seconds, or is cut by a second Ctrl-C.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  entra-ssh forward web01 --bind 127.0.0.1:2222\n  \
    entra-ssh forward win01 --port 3389 --no-certificate\n\n\
    It prints the line to log in with.\n\nA SOCKS proxy, or another port of the machine, needs only ssh:\n  \
    ssh -N -D 1080 web01\n  ssh -N -L 13389:localhost:3389 win01"
)]
pub(super) struct ForwardArgs {
    /// The machine: a managed host, a name, group/name, a resource ID, or an address
    #[arg(required_unless_present = "ip")]
    target: Option<String>,
    /// Listen at this address and port; without it, at a free port of 127.0.0.1. A port alone is one of 127.0.0.1
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    bind: Bind,
    /// The machine's resource group
    #[arg(short = 'g', long)]
    resource_group: Option<ResourceGroup>,
    /// The port on the machine; without it, that of the managed host, or 22
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    /// Connect to this address, without asking Azure for one
    #[arg(long, value_name = "ADDRESS", conflicts_with = "prefer_private_ip")]
    ip: Option<Address>,
    /// Connect to an Azure VM's private address, even if it has a public one
    #[arg(long)]
    prefer_private_ip: bool,
    /// See to no certificate: logins use keys of their own, or the port is not sshd's
    #[arg(long)]
    no_certificate: bool,
}

/// Where to listen.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Bind(SocketAddr);

impl FromStr for Bind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let loopback = |port| Self((Ipv4Addr::LOCALHOST, port).into());
        if let Ok(port) = text.strip_prefix("localhost:").unwrap_or(text).parse() {
            return Ok(loopback(port));
        }
        text.parse()
            .map(Self)
            .map_err(|_| "there must be an address and a port, as in 127.0.0.1:2222".to_owned())
    }
}

pub(super) async fn run(ui: Ui, context: &Context, args: ForwardArgs) -> Result<(), Failure> {
    let machine = machine::find(ui, context, &args).await?;
    let (port, listener) = open(&ui, context, &args, machine).await?;
    let mut interrupts = Interrupts::open()
        .map_err(|error| Failure::new("cannot wait for signals").caused_by(&error))?;
    let bound = listener.local_addr().unwrap_or(args.bind.0);
    let login_line = port.certify(bound).await;
    port.tell(bound)?;
    if let Some(line) = login_line {
        ui.say(&format!("log in with: {line}"));
    }
    let mut open = FuturesUnordered::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if open.len() < MAX_CONNECTIONS => match accepted {
                Ok((client, _)) => open.push(port.carry(client)),
                Err(error) => {
                    ui.fail(&Failure::new("cannot take a connection").caused_by(&error));
                    sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(()) = open.next() => {}
            () = interrupts.next() => break,
        }
    }
    drop(listener);
    if !open.is_empty() {
        let what = match open.len() {
            1 => "a connection".to_owned(),
            several => format!("{several} connections"),
        };
        let seconds = STOP_LIMIT.as_secs();
        ui.say(&format!(
            "waiting up to {seconds} s for {what} to end; Ctrl-C cuts what is left"
        ));
    }
    tokio::select! {
        () = async { while open.next().await.is_some() {} } => {}
        () = interrupts.next() => {}
        () = sleep(STOP_LIMIT) => {}
    }
    one_connection::remove(context, &config_host(bound));
    Ok(())
}

/// The open port.
struct Port<'a> {
    ui: Ui,
    context: &'a Context,
    known_hosts: PathBuf,
    machine: Machine,
    way: Way<'a>,
}

impl Port<'_> {
    /// Says where it is.
    fn tell(&self, bound: SocketAddr) -> Result<(), Failure> {
        let Machine { id, port, .. } = &self.machine;
        let row = json!({"bind": bound, "resource_id": id, "port": port});
        let name = self.way.name();
        let text = format!("{bound} leads to port {port} of {name}; Ctrl-C ends it\n");
        if let Some(who) = who_can_connect(bound.ip()) {
            self.ui.say(&format!(
                "warning: {who} can connect to port {port} of {name} here; for programs of this machine only: --bind 127.0.0.1:{}",
                bound.port()
            ));
        }
        self.ui.result(&row, &text)
    }

    /// Sees to a certificate for whoever logs in by way of the port, and returns what they type. Without one, the port serves
    /// those who log in otherwise.
    async fn certify(&self, bound: SocketAddr) -> Option<String> {
        if !self.machine.is_certified {
            return None;
        }
        let profile = &self.machine.profile;
        let job = async || self.certificate().await;
        match self.context.answering(self.ui, profile, job).await {
            Ok(answer) => self
                .login_line(bound, &answer.login_name)
                .map_err(|error| self.tell_failure(&error))
                .ok(),
            Err(failure) => {
                self.tell_failure(&failure);
                self.ui.say(
                    "going on without a certificate, for logins of other kinds; with --no-certificate, none is asked for",
                );
                None
            }
        }
    }

    async fn certificate(&self) -> Result<CertificateAnswer, Failure> {
        let Machine {
            profile, tenancy, ..
        } = &self.machine;
        self.context.certificate_for_login(profile, tenancy).await
    }

    /// Returns what to type to log in by way of the port, with the host keys that managed hosts have.
    fn login_line(&self, bound: SocketAddr, login_name: &Principal) -> Result<String, Failure> {
        let Machine {
            id, address, port, ..
        } = &self.machine;
        let alias = host_key_alias(id.as_ref(), address.as_ref(), *port);
        let alias = alias.unwrap_or_else(|| self.way.name());
        let mut options = vec![
            ("IdentityAgent", Value::path(self.context.agent.socket())?),
            ("HostKeyAlias", Value::word(&alias)?),
            ("UserKnownHostsFile", Value::path(&self.known_hosts)?),
        ];
        if !login_name.is_for_command_line() {
            options.extend([
                ("HostName", Value::word(&bound.ip().to_string())?),
                ("Port", Value::port(bound.port())?),
                ("User", Value::login_name(login_name.as_str())?),
            ]);
            let host = config_host(bound);
            let config = one_connection::write(self.context, &host, &options, None)?;
            let config = shell_word(&config.display().to_string());
            return Ok(format!("ssh -F {config} {host}"));
        }
        let mut line = format!("ssh -p {}", bound.port());
        for (option, value) in options {
            line.push_str(" -o ");
            line.push_str(&shell_word(&format!("{option}={value}")));
        }
        let whom = format!("{login_name}@{}", bound.ip());
        Ok(format!("{line} {}", shell_word(&whom)))
    }

    /// Carries one client's connection to its end. That it fails is told, and ends nothing else.
    async fn carry(&self, client: TcpStream) {
        let certified = async {
            // ssh asks the agent for it as soon as it has a connection.
            if self.machine.is_certified
                && let Err(failure) = self.certificate().await
            {
                self.tell_failure(&failure);
            }
        };
        let (connected, ()) = tokio::join!(self.way.connect(), certified);
        let carried = async {
            liveness::set(&client)
                .map_err(|error| Failure::new("a connection was lost").caused_by(&error))?;
            connected?.carry(client).await
        };
        if let Err(failure) = carried.await {
            self.tell_failure(&failure);
        }
    }

    fn tell_failure(&self, failure: &Failure) {
        self.ui.fail(failure);
        last::keep(&self.context.host, failure);
    }
}

/// Returns the name of the host in the config that the line to log in with names, if it needs one.
fn config_host(bound: SocketAddr) -> String {
    format!("forward-{}", bound.port())
}

/// Sees to credentials, and opens the port.
async fn open<'a>(
    ui: &'a Ui,
    context: &'a Context,
    args: &ForwardArgs,
    machine: Machine,
) -> Result<(Port<'a>, TcpListener), Failure> {
    context.hosts().keep_host_keys(&machine.id);
    let way = Way::to(ui, context, &machine).await?;
    way.prepare().await?;
    let listener = TcpListener::bind(args.bind.0)
        .await
        .map_err(|error| bind_failure(args.bind.0, &error))?;
    let port = Port {
        ui: *ui,
        context,
        known_hosts: context.hosts().known_hosts()?,
        machine,
        way,
    };
    Ok((port, listener))
}

/// Says who can connect to an address; `None` if only programs of this machine can.
fn who_can_connect(address: IpAddr) -> Option<String> {
    let address = address.to_canonical();
    if address.is_loopback() {
        None
    } else if address.is_unspecified() {
        Some("everybody who reaches any address of this machine".to_owned())
    } else {
        Some(format!("everybody who reaches {address}"))
    }
}

fn bind_failure(address: SocketAddr, error: &io::Error) -> Failure {
    let failure = Failure::new(format!("cannot listen at {address}")).caused_by(error);
    match error.kind() {
        io::ErrorKind::AddrInUse => failure
            .kind(FailureKind::Usage)
            .hint("another program has this port; without --bind, a free one is taken"),
        io::ErrorKind::PermissionDenied => failure
            .kind(FailureKind::Usage)
            .hint("ports below 1024 are root's; take another one: --bind 127.0.0.1:2222"),
        io::ErrorKind::AddrNotAvailable => failure
            .kind(FailureKind::Usage)
            .hint("this machine has no such address: --bind 127.0.0.1:2222"),
        _ => failure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_loopback_it_is_said_who_can_connect() {
        let who = |address: &str| who_can_connect(address.parse().unwrap());
        for address in ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(who(address), None, "{address}");
        }
        for address in ["0.0.0.0", "::", "::ffff:0.0.0.0"] {
            assert!(who(address).unwrap().contains("any address"), "{address}");
        }
        assert_eq!(who("192.0.2.7").unwrap(), "everybody who reaches 192.0.2.7");
    }

    #[test]
    fn a_port_alone_is_one_of_this_machine_alone() {
        let bind = |text: &str| {
            text.parse::<Bind>()
                .map(|Bind(address)| address.to_string())
        };
        assert_eq!(bind("2222").unwrap(), "127.0.0.1:2222");
        assert_eq!(bind("localhost:2222").unwrap(), "127.0.0.1:2222");
        assert_eq!(bind("0.0.0.0:2222").unwrap(), "0.0.0.0:2222");
        assert_eq!(bind("[::1]:2222").unwrap(), "[::1]:2222");
        for text in ["", "web01:2222", "127.0.0.1", "70000", ":2222"] {
            assert!(bind(text).is_err(), "{text}");
        }
    }
}
