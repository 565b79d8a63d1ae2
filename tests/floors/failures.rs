//! Errors stay typed up to the border: `Failure` is made in `cli` and at the agent's socket, and what to do about an error is said
//! in `failure`.

use crate::source::{Source, SourceFile};

/// Where failures and hints are made: the tables, the command line, and what answers on the agent's socket.
const BORDER: &[&str] = &[
    "src/agent/answers.rs",
    "src/agent/connection.rs",
    "src/cli.rs",
    "src/cli/",
    "src/failure.rs",
    "src/failure/",
];

/// Files below the border that still make failures. Nothing joins this list, and what no longer makes any leaves it.
const OPEN: &[&str] = &[
    "src/agent/ask.rs",
    "src/agent/caller.rs",
    "src/agent/client/exchange.rs",
    "src/agent/client/start.rs",
    "src/agent/memory.rs",
];

fn makes_failures(file: &SourceFile) -> bool {
    file.holds(&[".", "hint", "("]) || file.holds(&["Failure", "::", "new"])
}

/// Returns the files below the border that make failures.
fn early_failures(source: &Source) -> Vec<&str> {
    let is_border = |path: &str| BORDER.iter().any(|allowed| path.starts_with(allowed));
    source
        .files()
        .iter()
        .filter(|file| !is_border(&file.path) && makes_failures(file))
        .map(|file| file.path.as_str())
        .collect()
}

#[test]
fn errors_stay_typed_up_to_the_border() {
    let source = Source::of_this_library();
    assert!(source.files().iter().any(makes_failures), "none were found");
    let early = early_failures(&source);
    let joined: Vec<_> = early.iter().filter(|path| !OPEN.contains(path)).collect();
    assert!(joined.is_empty(), "these make failures: {joined:?}");
    let left: Vec<_> = OPEN.iter().filter(|path| !early.contains(path)).collect();
    assert!(left.is_empty(), "take these off the list: {left:?}");
}

#[test]
fn a_failure_that_is_made_too_early_is_found() {
    let files = [
        ("src/relay/dial.rs", "fn f() { Failure::new(\"x\") }"),
        ("src/azure.rs", "fn f() { failure.hint(\"x\") }"),
        (
            "src/entra.rs",
            "// Failure::new\nfn f() { failure.hints() }",
        ),
        (
            "src/keyring.rs",
            "#[cfg(test)] mod tests { fn f() { Failure::new(\"x\") } }",
        ),
        (
            "src/cli/why.rs",
            "fn f() { Failure::new(\"x\").hint(\"y\") }",
        ),
    ];
    let texts = files.map(|(path, text)| (path.to_owned(), text.to_owned()));
    assert_eq!(
        early_failures(&Source::of(texts)),
        ["src/relay/dial.rs", "src/azure.rs"]
    );
}
