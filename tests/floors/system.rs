//! `host` is the only module that touches the local system, so that another system is a change of one module, and tests can put
//! another world in its place.

use crate::source::{Source, SourceFile};

/// What only `host` may name: the beginning of a path, or its end.
const SYSTEM: &[&str] = &[
    "libc",
    "ring::rand::SystemRandom",
    "rsa::rand_core::OsRng",
    "rustix",
    "std::env",
    "std::fs",
    "std::net::TcpListener",
    "std::net::TcpStream",
    "std::os",
    "std::process::Child",
    "std::process::Command",
    "std::time::SystemTime",
    "tokio::fs",
    "tokio::net",
    "tokio::process",
    "tokio::signal",
];

/// What other modules name nevertheless, and why.
const ALLOWED: &[(&str, &str, &str)] = &[
    (
        "src/",
        "std::process::Child",
        "holds a process that `host::process` started",
    ),
    (
        "src/cli/log.rs",
        "std::fs::File",
        "holds the file that `host::files` opened",
    ),
    (
        "src/",
        "tokio::net::TcpListener",
        "holds a listener that `host::tcp` or the command line opened",
    ),
    (
        "src/",
        "tokio::net::TcpStream",
        "holds a connection that `host::tcp` opened",
    ),
    (
        "src/relay/tunnel.rs",
        "tokio::net::unix::pipe",
        "carries bytes between pipes that `host::standard_streams` opened",
    ),
];

/// Tells whether a path is another one, or leads to something within it.
fn is_within(path: &str, whole: &str) -> bool {
    path.strip_prefix(whole)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

fn is_of_host(file: &SourceFile) -> bool {
    is_within(&file.module, "crate::host")
}

/// Returns what files other than those of `host` name of the system.
fn foreign_paths(source: &Source) -> Vec<(String, String)> {
    let files = source.files().iter().filter(|file| !is_of_host(file));
    files
        .flat_map(|file| {
            let paths = file.named_paths().into_iter();
            paths.map(|path| (file.path.clone(), path))
        })
        .filter(|(_, path)| SYSTEM.iter().any(|system| is_within(path, system)))
        .collect()
}

fn is_allowed(file: &str, path: &str) -> bool {
    ALLOWED
        .iter()
        .any(|(place, allowed, _)| file.starts_with(place) && is_within(path, allowed))
}

#[test]
fn only_host_touches_the_system() {
    let source = Source::of_this_library();
    let of_host: Vec<_> = source
        .files()
        .iter()
        .filter(|file| is_of_host(file))
        .flat_map(SourceFile::named_paths)
        .collect();
    for expected in ["std::fs", "rustix", "ring::rand::SystemRandom"] {
        assert!(
            of_host.iter().any(|path| is_within(path, expected)),
            "`host` does not name {expected}: does this test still read the code?"
        );
    }
    let wrong: Vec<_> = foreign_paths(&source)
        .into_iter()
        .filter(|(file, path)| !is_allowed(file, path))
        .map(|(file, path)| format!("{file} names {path}"))
        .collect();
    assert!(
        wrong.is_empty(),
        "ask `host` instead, or add what it lacks:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn every_exception_is_needed() {
    let named = foreign_paths(&Source::of_this_library());
    for (place, allowed, _) in ALLOWED {
        let is_named =
            |(file, path): &(String, String)| file.starts_with(place) && is_within(path, allowed);
        assert!(
            named.iter().any(is_named),
            "{place} does not name {allowed}"
        );
    }
}

#[test]
fn a_file_that_touches_the_system_is_found() {
    let texts = [
        ("src/host/files.rs", "use std::fs; fn f() { fs::read(); }"),
        (
            "src/relay.rs",
            "use std::os::unix::fs::MetadataExt as _; // std::env",
        ),
        ("src/agent.rs", "fn f() { std::env::current_exe(); }"),
        (
            "src/cli.rs",
            "use std::{env, io}; #[cfg(test)] mod tests { use std::fs; }",
        ),
        ("src/time.rs", "use std::time::{Duration, SystemTime};"),
    ];
    let texts = texts.map(|(path, text)| (path.to_owned(), text.to_owned()));
    let found = foreign_paths(&Source::of(texts));
    let expected = [
        ("src/relay.rs", "std::os::unix::fs::MetadataExt"),
        ("src/agent.rs", "std::env::current_exe"),
        ("src/cli.rs", "std::env"),
        ("src/time.rs", "std::time::SystemTime"),
    ];
    let expected = expected.map(|(file, path)| (file.to_owned(), path.to_owned()));
    assert_eq!(found, expected);
}
