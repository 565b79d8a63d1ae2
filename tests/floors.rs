//! Holds the floors that `src/lib.rs` draws: imports go down, and on floor 2 none goes sideways.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "tests"
)]

use std::fs;
use std::path::{Path, PathBuf};

/// The modules, lowest first. A module may use those of the rows above its own; within a row that is marked so, also those
/// that stand before it.
const FLOORS: &[(&str, Order, &[&str])] = &[
    (
        "words",
        Order::Listed,
        &[
            "hex", "line", "progress", "rfc4251", "secret", "time", "ids", "cloud",
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
        &["failure", "session", "issue", "inventory", "agent"],
    ),
    ("cli", Order::None, &["cli"]),
];

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
    let ((from_row, from_place), (to_row, to_place)) = (place(from), place(to));
    from == to
        || to_row < from_row
        || (to_row == from_row && FLOORS[from_row].1 == Order::Listed && to_place < from_place)
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

/// Returns the module of floor that a file belongs to: `src/relay/frame.rs` belongs to `relay`.
fn module_of(file: &Path, source: &Path) -> String {
    let relative = file.strip_prefix(source).unwrap();
    let first = relative.components().next().unwrap().as_os_str();
    first.to_str().unwrap().trim_end_matches(".rs").to_owned()
}

/// Returns the modules of this crate that a line of code names by `crate::`.
fn modules_named(line: &str) -> Vec<String> {
    let code = line.split("//").next().unwrap();
    code.match_indices("crate::")
        .map(|(index, marker)| {
            code[index + marker.len()..]
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
                .collect::<String>()
        })
        .filter(|name| name.chars().all(|c| !c.is_ascii_uppercase()) && !name.is_empty())
        .collect()
}

#[test]
fn imports_go_down_only() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut arrows = 0;
    let mut wrong = Vec::new();
    for file in rust_files(&source) {
        let module = module_of(&file, &source);
        if ["lib", "main", "internal"].contains(&module.as_str()) {
            continue;
        }
        for (number, line) in fs::read_to_string(&file).unwrap().lines().enumerate() {
            for used in modules_named(line) {
                arrows += 1;
                if !is_allowed(&module, &used) {
                    wrong.push(format!(
                        "{}:{}: {module} uses {used}",
                        file.display(),
                        number + 1
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(
        arrows > 100,
        "only {arrows} imports were found: does this test still read the code?"
    );
}

#[test]
fn arrows_up_and_sideways_are_found() {
    assert!(is_allowed("relay", "secret"));
    assert!(is_allowed("agent", "issue"));
    assert!(is_allowed("ids", "ids"));
    assert!(!is_allowed("relay", "azure"), "sideways");
    assert!(!is_allowed("issue", "agent"), "up within a floor");
    assert!(!is_allowed("host", "failure"), "up");
    assert_eq!(
        modules_named("    use crate::azure::X; // crate::cli"),
        ["azure"]
    );
    assert_eq!(
        modules_named("    pub(in crate::ssh_config) fn x() -> crate::time::UnixTime"),
        ["ssh_config", "time"]
    );
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
