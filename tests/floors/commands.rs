//! A command parses its arguments, calls a service and prints. What two commands share is a service, or stands beside them.

use std::collections::BTreeSet;

use crate::source::Source;

/// Returns the files of commands: those in `src/cli` that define `run`. A folder of the same name belongs to its command.
fn commands(source: &Source) -> BTreeSet<String> {
    let is_command = |path: &&str| path.starts_with("src/cli/");
    source
        .files()
        .iter()
        .filter(|file| file.defines("run"))
        .map(|file| file.path.as_str())
        .filter(is_command)
        .map(|path| path.trim_end_matches(".rs").to_owned())
        .collect()
}

/// Returns the innermost command that a file belongs to.
fn command_of<'a>(commands: &'a BTreeSet<String>, path: &str) -> Option<&'a str> {
    commands
        .iter()
        .filter(|command| {
            path == format!("{command}.rs") || path.starts_with(&format!("{command}/"))
        })
        .max_by_key(|command| command.len())
        .map(String::as_str)
}

fn is_within(inner: &str, outer: &str) -> bool {
    inner.starts_with(&format!("{outer}/"))
}

/// Returns the imports of one command from another. A command with commands of its own, such as `config`, calls those, and they
/// share what is in its folder.
fn shortcuts(source: &Source) -> Vec<String> {
    let commands = commands(source);
    source
        .imports()
        .iter()
        .filter(|((from, to), _)| {
            let pair = (command_of(&commands, from), command_of(&commands, to));
            matches!(pair, (Some(from), Some(to)) if from != to && !is_within(to, from) && !is_within(from, to))
        })
        .map(|((from, to), items)| format!("{from} imports {items:?} from {to}"))
        .collect()
}

#[test]
fn no_command_imports_another() {
    let source = Source::of_this_library();
    let commands = commands(&source);
    assert!(commands.len() > 10, "commands were not found: {commands:?}");
    let wrong = shortcuts(&source);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn an_import_of_another_command_is_found() {
    let files = [
        ("src/cli/config.rs", "mod add; fn run() { add::run() }"),
        (
            "src/cli/config/add.rs",
            "use super::super::ssh::Found; pub(super) fn run() {}",
        ),
        (
            "src/cli/ssh.rs",
            "pub(super) fn run() {} pub(super) struct Found;",
        ),
        ("src/cli/ui.rs", "pub(super) struct Ui;"),
        ("src/cli.rs", "mod config; mod ssh; mod ui;"),
    ];
    let texts = files.map(|(path, text)| (path.to_owned(), text.to_owned()));
    assert_eq!(
        shortcuts(&Source::of(texts)),
        [r#"src/cli/config/add.rs imports {"Found"} from src/cli/ssh.rs"#]
    );
}
