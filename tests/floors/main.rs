//! Holds the structure that `src/lib.rs` draws: imports go down, none goes sideways, files import one another in no circle, no
//! command imports another, errors stay typed up to the border, and only `host` touches the system.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod circles;
mod commands;
mod failures;
mod source;
mod system;
mod tokens;

use std::fs;
use std::path::Path;

use self::source::Source;

/// The modules, lowest first. A module may use those of the rows above its own; within a row that is marked so, also those
/// that stand before it.
const FLOORS: &[(&str, Order, &[&str])] = &[
    (
        "words",
        Order::Listed,
        &[
            "hex", "line", "rfc4251", "progress", "secret", "time", "ids", "cloud",
        ],
    ),
    ("host", Order::None, &["host"]),
    ("certificate", Order::None, &["certificate"]),
    (
        "domains",
        Order::None,
        &[
            "azure",
            "direct",
            "entra",
            "keyring",
            "openssh",
            "relay",
            "ssh_config",
        ],
    ),
    (
        "services",
        Order::Listed,
        &[
            "session",
            "issue",
            "identity",
            "hosts",
            "failure",
            "agent",
            "inventory",
            "connect",
        ],
    ),
    ("cli", Order::None, &["cli"]),
];

/// Modules that stand on no floor: the library's root, and what it hands to tests.
const OUTSIDE: [&str; 2] = ["crate", "internal"];

#[derive(Clone, Copy, PartialEq)]
enum Order {
    /// None of the row uses another.
    None,
    /// Each may use those before it.
    Listed,
}

/// Returns the row of a module and its place in it.
fn place(module: &str) -> (usize, usize) {
    FLOORS
        .iter()
        .enumerate()
        .find_map(|(row, (_, _, modules))| {
            let place = modules.iter().position(|name| *name == module)?;
            Some((row, place))
        })
        .unwrap_or_else(|| panic!("`{module}` stands on no floor: add it to FLOORS"))
}

fn is_allowed(from: &str, to: &str) -> bool {
    if OUTSIDE.contains(&from) {
        return true;
    }
    let ((from_row, from_place), (to_row, to_place)) = (place(from), place(to));
    from == to
        || to_row < from_row
        || (to_row == from_row && FLOORS[from_row].1 == Order::Listed && to_place < from_place)
}

/// Returns the module of a floor that a file belongs to: `src/relay/frame.rs` belongs to `relay`.
fn module_of(path: &str) -> &str {
    let inner = path.trim_start_matches("src/").trim_end_matches(".rs");
    match inner.split('/').next().unwrap() {
        "lib" => "crate",
        module => module,
    }
}

/// Returns the imports that go up or sideways.
fn wrong_imports(source: &Source) -> Vec<String> {
    source
        .imports()
        .iter()
        .filter(|((from, to), _)| !is_allowed(module_of(from), module_of(to)))
        .map(|((from, to), items)| format!("{from} imports {items:?} from {to}"))
        .collect()
}

#[test]
fn imports_go_down_only() {
    let source = Source::of_this_library();
    let wrong = wrong_imports(&source);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let imports = source.imports().len();
    assert!(
        imports > 300,
        "only {imports} imports were found: does this test still read the code?"
    );
}

#[test]
fn imports_up_and_sideways_are_found() {
    let planted = [
        ("src/lib.rs", ""),
        (
            "src/host.rs",
            "fn f() -> crate::relay::Connection { todo!() }",
        ),
        (
            "src/relay.rs",
            "mod dial; pub(crate) use self::dial::Connection;",
        ),
        (
            "src/relay/dial.rs",
            "pub(crate) struct Connection; use crate::azure::{self, Machine as M};",
        ),
        (
            "src/azure.rs",
            "pub(crate) struct Machine; // use crate::cli::Ui",
        ),
    ];
    let texts = planted.map(|(path, text)| (path.to_owned(), text.to_owned()));
    assert_eq!(
        wrong_imports(&Source::of(texts)),
        [
            r#"src/host.rs imports {"Connection"} from src/relay/dial.rs"#,
            r#"src/relay/dial.rs imports {"Machine"} from src/azure.rs"#,
        ]
    );
    assert!(is_allowed("agent", "issue"));
    assert!(!is_allowed("issue", "agent"), "up within a floor");
}

#[test]
fn the_map_in_the_docs_names_every_module() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let library = fs::read_to_string(source.join("lib.rs")).unwrap();
    for (_, _, modules) in FLOORS {
        for module in *modules {
            assert!(library.contains(&format!("mod {module};")), "{module}");
            let drawn = library
                .lines()
                .filter(|line| line.starts_with("//! floor"))
                .any(|line| line.contains(module));
            assert!(drawn, "{module} is not on the map");
        }
    }
}
