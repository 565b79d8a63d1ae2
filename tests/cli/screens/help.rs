//! The page of `--help` of every command.

use std::collections::BTreeSet;
use std::fs;

use super::{COLUMNS, assert_screen, snapshots};
use crate::world::{World, options_with, program};

/// Where the pages are.
const FOLDER: &str = "help";

#[test]
fn every_help_page_reads_as_it_was_accepted() {
    let world = World::with(options_with(&[]));
    let mut seen = BTreeSet::new();
    check(&world, &[], &mut seen);
    let kept: BTreeSet<String> = fs::read_dir(snapshots().join(FOLDER))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(kept, seen, "a page of no command is kept");
}

/// Compares the page of a command, and those of the commands below it.
fn check(world: &World, words: &[&str], seen: &mut BTreeSet<String>) {
    // Without any variable of ours, whose values a page would show.
    let page = world
        .program(program())
        .args(words)
        .arg("--help")
        .env("COLUMNS", COLUMNS)
        .run();
    page.succeeded();
    assert_eq!(page.stderr, "");
    let name = [&["entra-ssh"], words].concat().join("-");
    assert_screen(FOLDER, &name, &page.stdout);
    assert!(seen.insert(format!("{name}.snap")));
    for below in commands(&page.stdout) {
        check(world, &[words, &[below]].concat(), seen);
    }
}

/// Returns the commands that a page lists.
fn commands(page: &str) -> impl Iterator<Item = &str> {
    page.lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| line.starts_with("  "))
        // What goes on from the line before is indented further.
        .filter(|line| !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
}

#[test]
fn the_commands_of_a_page_are_found() {
    let page = "Do it\n\nCommands:\n  one   Do one\n          thing\n  two\n  help  Print\n\nOptions:\n  -h\n";
    assert_eq!(commands(page).collect::<Vec<_>>(), ["one", "two"]);
}
