//! Checks the layout: short files, and no test file that imports another.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The most lines that a file may have.
const MAX_LINES: usize = 400;

/// The programs of tests that have several files, and the one module of each that the others may import.
const PROGRAMS: [(&str, &str); 2] = [
    ("tests/cli", "world"),
    ("tests/sandbox/tests/cloud", "client"),
];

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// Returns a file without its comments, on one line.
fn code(text: &str) -> String {
    let lines = text.lines().map(|line| line.split("//").next().unwrap());
    lines.collect::<Vec<_>>().join(" ")
}

/// Returns the names that stand right behind a path: `a` and `b` of `crate::{a::X, b}` behind `crate::`.
fn names_behind(path: &str, code: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (start, _) in code.match_indices(path) {
        let rest = &code.as_bytes()[start + path.len()..];
        let (mut depth, mut name) = (0, String::new());
        for byte in rest {
            let is_outer = depth == usize::from(rest[0] == b'{');
            match byte {
                b'{' => depth += 1,
                b'}' => depth -= 1,
                b',' if is_outer => names.extend([std::mem::take(&mut name)]),
                b' ' => continue,
                _ if is_outer => name.push(char::from(*byte)),
                _ => {}
            }
            let is_name = byte.is_ascii_alphanumeric() || *byte == b'_';
            if depth == 0 && !is_name {
                break;
            }
        }
        names.extend([name]);
    }
    let first = |path: String| {
        let name = path.chars();
        let name = name.take_while(|c| c.is_ascii_alphanumeric() || *c == '_');
        name.collect()
    };
    let mut names: BTreeSet<String> = names.into_iter().map(first).collect();
    names.remove("");
    names
}

/// Returns the modules that a file of a program of tests imports and may not: all but the shared one and the one that the file
/// itself belongs to.
fn wrong_imports(file: &Path, code: &str, modules: &BTreeSet<String>, shared: &str) -> Vec<String> {
    let depth = file.components().count() - 1;
    let mut imported = names_behind("crate::", code);
    // `super` leads to the root from a file that stands right below it.
    imported.extend(names_behind(&"super::".repeat(depth + 1), code));
    imported.remove(shared);
    let own = file.iter().next().and_then(|first| first.to_str());
    imported.remove(own.unwrap().trim_end_matches(".rs"));
    imported.retain(|name| modules.contains(name));
    imported.into_iter().collect()
}

#[test]
fn no_test_file_imports_another() {
    let mut imports = 0;
    let mut wrong = Vec::new();
    for (program, shared) in PROGRAMS {
        let folder = repository().join(program);
        let files = rust_files(&folder);
        let modules = files
            .iter()
            .filter(|file| file.parent() == Some(&folder))
            .map(|file| file.file_stem().unwrap().to_str().unwrap().to_owned())
            .collect();
        for file in files {
            let text = code(&fs::read_to_string(&file).unwrap());
            let relative = file.strip_prefix(&folder).unwrap();
            imports += usize::from(names_behind("crate::", &text).contains(shared));
            let found = wrong_imports(relative, &text, &modules, shared);
            if !found.is_empty() {
                wrong.push(format!("{} imports {}", file.display(), found.join(", ")));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(
        imports > 50,
        "{imports}: does this test still read the code?"
    );
}

#[test]
fn imports_of_every_form_are_found() {
    let modules = ["agent", "world", "forward"].map(str::to_owned).into();
    let found =
        |file: &str, text: &str| wrong_imports(Path::new(file), &code(text), &modules, "world");
    for (file, text) in [
        ("kill.rs", "use crate::agent::ask;"),
        ("kill.rs", "use crate::agent;"),
        (
            "kill.rs",
            "use crate::{\n    agent::{ask, connect},\n    world::World,\n};",
        ),
        ("kill.rs", "use crate::{world::{World, ADA}, agent};"),
        ("kill.rs", "fn x() { crate::agent::ask() }"),
        ("kill.rs", "use super::agent::ask;"),
        ("direct/refusals.rs", "use super::super::agent::ask;"),
    ] {
        assert_eq!(found(file, text), ["agent"], "{text}");
    }
    for (file, text) in [
        ("kill.rs", "use crate::world::{World, agent};"),
        ("kill.rs", "// use crate::agent::ask;"),
        ("kill.rs", "use crate::{world::{agent, forward}};"),
        ("direct/refusals.rs", "use super::{agent, proxy};"),
        ("agent/life.rs", "use crate::agent::ask;"),
    ] {
        assert_eq!(found(file, text), [""; 0], "{text}");
    }
}

#[test]
fn no_file_is_long() {
    let folders = ["src", "tests"].map(|folder| repository().join(folder));
    let files = folders.iter().flat_map(|folder| rust_files(folder));
    let files: Vec<_> = files.collect();
    assert!(files.len() > 300, "{}", files.len());
    let mut long = Vec::new();
    for file in files {
        let lines = fs::read_to_string(&file).unwrap().lines().count();
        if lines > MAX_LINES {
            long.push(format!("{}: {lines} lines", file.display()));
        }
    }
    assert!(long.is_empty(), "{}", long.join("\n"));
}
