//! Holds SECURITY.md to the tests: each promise names at least one, and each test that is named exists.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The heading of the table.
const HEADING: &str = "## Threats, promises and tests";

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns the cells of the rows of the table, without its head.
fn rows() -> Vec<Vec<String>> {
    let text = fs::read_to_string(repository().join("SECURITY.md")).unwrap();
    let (_, section) = text.split_once(HEADING).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| "));
    rows.skip(1)
        .map(|line| {
            let cells = line.trim_matches('|').split(" | ");
            cells.map(|cell| cell.trim().to_owned()).collect()
        })
        .collect()
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Returns the names of all tests that `tests/run` runs: those that are not ignored, or that it runs as root.
fn tests() -> BTreeSet<String> {
    let mut files = Vec::new();
    for folder in ["src", "tests"] {
        rust_files(&repository().join(folder), &mut files);
    }
    let mut names = BTreeSet::new();
    for file in files {
        let (mut is_test, mut is_ignored) = (false, false);
        for line in fs::read_to_string(file).unwrap().lines() {
            let line = line.trim_start();
            is_test |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
            is_ignored |= line.starts_with("#[ignore");
            let Some((before, name)) = line.split_once("fn ") else {
                continue;
            };
            let name: String = name.chars().take_while(|c| *c != '(').collect();
            let is_run = !is_ignored || name.starts_with("as_root_");
            if is_test && is_run && matches!(before, "" | "async ") {
                names.insert(name);
            }
            (is_test, is_ignored) = (false, false);
        }
    }
    names
}

#[test]
fn every_promise_is_held_by_tests_that_exist() {
    let (rows, tests) = (rows(), tests());
    assert!(rows.len() > 10, "{rows:?}");
    let mut missing = Vec::new();
    for row in &rows {
        let [_, promise, held_by] = row.as_slice() else {
            panic!("a row has three cells: {row:?}");
        };
        let named: Vec<_> = held_by.split('`').skip(1).step_by(2).collect();
        if named.is_empty() {
            missing.push(format!("no test: {promise}"));
        }
        let absent = named.iter().filter(|name| !tests.contains(**name));
        missing.extend(absent.map(|name| format!("`{name}` is no test: {promise}")));
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn helpers_and_ignored_tests_do_not_count() {
    let tests = tests();
    assert!(tests.contains("helpers_and_ignored_tests_do_not_count"));
    assert!(!tests.contains("rust_files"));
    assert!(!tests.contains("nobody_notices_for_ten_minutes_that_certificates_last_a_minute"));
}
