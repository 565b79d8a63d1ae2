//! Every screen in a file of its own below `snapshots`, so that words are seen in one place and change only on purpose.
//!
//! `INSTA_UPDATE=always cargo test --test cli screens` accepts what is printed now.

mod errors;
mod help;
mod results;

use std::fmt::Write as _;
use std::path::PathBuf;

use crate::world::{Invocation, Output, World, package, program};

/// The width of a terminal that nobody has made larger, in columns.
const COLUMNS: &str = "80";

/// Compares a screen with its file, `snapshots/<folder>/<name>.snap`.
#[track_caller]
fn assert_screen(folder: &str, name: &str, screen: &str) {
    let mut settings = insta::Settings::new();
    settings.set_snapshot_path(snapshots().join(folder));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, screen));
}

/// Runs a command, and compares what it prints and how it ends with its file.
#[track_caller]
fn assert_command(folder: &str, name: &str, world: &World, line: &str) -> Output {
    let arguments: Vec<&str> = line.split(' ').collect();
    assert_invocation(folder, name, world, line, world.command(&arguments))
}

/// Compares what a command prints that is shown as this line.
#[track_caller]
fn assert_invocation(
    folder: &str,
    name: &str,
    world: &World,
    line: &str,
    invocation: Invocation,
) -> Output {
    let output = invocation.run();
    assert_screen(folder, name, &screen(world, line, &output));
    output
}

/// Returns what a user sees of a command, without what differs from run to run.
fn screen(world: &World, line: &str, output: &Output) -> String {
    let mut seen = format!("$ entra-ssh {line}\n{}", output.stdout);
    if !output.stderr.is_empty() {
        seen.push_str("--- standard error\n");
        seen.push_str(&output.stderr);
    }
    if output.status != 0 {
        // Writing to a String does not fail.
        let _written = writeln!(seen, "--- exit status {}", output.status);
    }
    regular(world, &seen)
}

/// Returns a text without what differs from run to run.
fn regular(world: &World, text: &str) -> String {
    let text = text
        .replace(&program().display().to_string(), "[PROGRAM]")
        .replace(&world.sandbox.cloud_file().display().to_string(), "[CLOUD]");
    let text = world.filtered_text(&text);
    let text = numbers_after(&text, "process ", "[PROCESS]");
    let text = numbers_after(&text, "version ", "[VERSION]");
    let text = numbers_after(&text, "ssh -p ", "[PORT]");
    let text = numbers_after(&text, "the agent runs for ", "[N]");
    without_age(&text)
}

/// Replaces the digits and dots behind a word.
fn numbers_after(text: &str, word: &str, name: &str) -> String {
    let mut pieces = text.split(word);
    let mut result = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let rest = piece.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        result.push_str(word);
        if rest.len() < piece.len() {
            result.push_str(name);
        }
        result.push_str(rest);
    }
    result
}

/// Replaces how long ago something was that this test did.
fn without_age(text: &str) -> String {
    let mut pieces = text.split(" s ago");
    let mut result = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let number = result.trim_end_matches(|c: char| c.is_ascii_digit()).len();
        result.truncate(number);
        result.push_str("[N] s ago");
        result.push_str(piece);
    }
    result
}

/// Returns the folder of all screens.
fn snapshots() -> PathBuf {
    package().join("tests/cli/snapshots")
}

#[test]
fn numbers_and_ages_are_taken_out() {
    assert_eq!(
        numbers_after("version 0.1.0, version x", "version ", "[VERSION]"),
        "version [VERSION], version x"
    );
    assert_eq!(
        without_age("12 s ago: a\n3 s ago"),
        "[N] s ago: a\n[N] s ago"
    );
}
