//! The command line as it is parsed, and its help pages.

use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, Id, Parser};

/// The last line of every command's help page, in place of the options that all commands have.
const POINTER: &str = "Options of every command, such as --profile and --output: entra-ssh --help";

/// Parses a command line.
///
/// # Errors
/// The usage error; or the help page or version, if the user requested it.
pub(super) fn parse<C: Parser>(
    arguments: impl IntoIterator<Item = OsString>,
) -> Result<C, clap::Error> {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    // Building all help pages takes time: do it only to show one, not for every connection of ssh.
    let matches = match C::command().try_get_matches_from(&arguments) {
        Ok(matches) => matches,
        Err(_) => command::<C>().try_get_matches_from(&arguments)?,
    };
    if matches.value_source("profile") == Some(ValueSource::CommandLine) && is_for_all(&matches) {
        // `--all` overrides a profile that the environment variable names.
        let text = "the argument '--all' cannot be used with '--profile <PROFILE>'";
        return Err(command::<C>().error(ErrorKind::ArgumentConflict, text));
    }
    C::from_arg_matches(&matches)
}

/// Returns whether a command is for all profiles.
fn is_for_all(matches: &ArgMatches) -> bool {
    let all = matches.try_get_one::<bool>("all");
    matches!(all, Ok(Some(true)))
        || matches
            .subcommand()
            .is_some_and(|(_, below)| is_for_all(below))
}

/// Returns the command line. Only the page of `entra-ssh --help` lists the options that every command has.
fn command<C: Parser>() -> clap::Command {
    let mut command = C::command();
    // Only then has every command its own name and the options of all.
    command.build();
    let global: Vec<Id> = command
        .get_arguments()
        .filter(|argument| argument.is_global_set())
        .map(|argument| argument.get_id().clone())
        .collect();
    with_plain_usage(command).mut_subcommands(|below| without_global_options(below, &global))
}

fn without_global_options(command: clap::Command, global: &[Id]) -> clap::Command {
    let examples = command.get_after_help().map(ToString::to_string);
    let ending = match examples {
        Some(examples) => format!("{examples}\n\n{POINTER}"),
        None => POINTER.to_owned(),
    };
    with_plain_usage(command)
        .mut_args(|argument| {
            let is_global = global.contains(argument.get_id());
            argument.hide(is_global)
        })
        .after_help(ending)
        .mut_subcommands(|below| without_global_options(below, global))
}

/// Keeps the usage to what the command takes; clap would show an option as required that a variable has set.
fn with_plain_usage(mut command: clap::Command) -> clap::Command {
    let usage = command.render_usage().to_string();
    let usage = usage.strip_prefix("Usage: ").unwrap_or(&usage).to_owned();
    command.override_usage(usage)
}

#[cfg(test)]
mod tests {
    use super::super::Cli;
    use super::*;

    /// The widest help page, in columns: that of a terminal of the usual size.
    const WIDTH: usize = 80;

    /// Returns all pages, each with the words that lead to it.
    fn pages() -> Vec<(String, String)> {
        fn collect(mut command: clap::Command, pages: &mut Vec<(String, String)>) {
            let name = command.get_bin_name().unwrap_or("entra-ssh").to_owned();
            for below in command.get_subcommands() {
                if below.get_name() != "help" {
                    collect(below.clone(), pages);
                }
            }
            command = command.term_width(WIDTH);
            for help in [command.render_help(), command.render_long_help()] {
                pages.push((name.clone(), help.to_string()));
            }
        }
        let mut pages = Vec::new();
        collect(command::<Cli>(), &mut pages);
        pages
    }

    #[test]
    fn no_help_page_is_wider_than_a_terminal() {
        for (name, page) in pages() {
            for line in page.lines() {
                assert!(line.chars().count() <= WIDTH, "{name}: {line}\n{page}");
            }
        }
    }

    #[test]
    fn no_example_is_broken_in_two() {
        fn check(command: &clap::Command) {
            let ending = command.get_after_help().map(ToString::to_string);
            for line in ending.unwrap_or_default().lines() {
                assert!(line.chars().count() <= WIDTH, "{line}");
            }
            command.get_subcommands().for_each(check);
        }
        check(&command::<Cli>());
    }

    #[test]
    fn the_options_of_every_command_stand_on_one_page() {
        for (name, page) in pages() {
            let is_top = name == "entra-ssh";
            assert_eq!(page.contains("--log-file"), is_top, "{name}:\n{page}");
            assert_eq!(
                page.trim_end().ends_with(POINTER),
                !is_top,
                "{name}:\n{page}"
            );
        }
    }

    #[test]
    fn every_page_names_the_command_that_was_asked_for() {
        for (name, page) in pages() {
            assert!(page.contains(&format!("Usage: {name}")), "{name}:\n{page}");
        }
        for name in ["vm", "arc"] {
            let refusal =
                parse::<Cli>(["entra-ssh", name, "--help"].map(OsString::from)).unwrap_err();
            let page = refusal.to_string();
            assert!(
                page.contains(&format!("Usage: entra-ssh {name} [OPTIONS]")),
                "{page}"
            );
            assert!(page.contains(&format!("  entra-ssh {name} ")), "{page}");
            assert!(!page.contains("entra-ssh ssh"), "{page}");
        }
    }

    #[test]
    fn options_that_would_be_ignored_together_are_refused() {
        for arguments in [
            "login --client-id 04b07795-8ddb-461a-bbee-02f9e1bf7b46",
            "login --device-code --service-principal",
            "login --device-code --login-hint ada@contoso.com",
            "login --client-secret-file -",
            "login --identity-client-id 04b07795-8ddb-461a-bbee-02f9e1bf7b46",
            "logout --all --profile work",
            "--profile work logout --all",
            "rotate --all --profile work",
            "rotate --force --within 10m",
            "rotate --new-key --within 10m",
            "rotate --all --tenant contoso.com",
            "cert --public-key-file a.pub --key-size 2048",
            "ssh --name web01 web01",
            "ssh web01 --private-key-file k",
            "ssh web01 --local-user root --identity file",
            "forward web01 --ip 10.0.0.4 --prefer-private-ip",
        ] {
            let words = std::iter::once("entra-ssh").chain(arguments.split(' '));
            let refusal = parse::<Cli>(words.map(OsString::from)).expect_err(arguments);
            assert_eq!(refusal.exit_code(), 2, "{arguments}");
        }
    }

    #[test]
    fn the_usage_of_a_refusal_names_no_option_that_is_not_required() {
        // clap treats a variable like an option on the command line.
        for arguments in [
            &["entra-ssh", "--cloud", "x", "config", "add"][..],
            &["entra-ssh", "ssh", "--profile", "p", "-o", "json"],
            &["entra-ssh", "cert", "--nonsense"],
        ] {
            let refusal = parse::<Cli>(arguments.iter().map(OsString::from)).unwrap_err();
            let text = refusal.to_string();
            let usage = text.split("Usage: ").nth(1).unwrap();
            assert!(
                !usage.contains("--cloud") && !usage.contains("--profile"),
                "{text}"
            );
            assert!(usage.contains("[OPTIONS]"), "{text}");
        }
    }
}
