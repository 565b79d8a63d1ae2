//! What version 0.1.0 wrote and printed, and whether today's program still reads it, writes it, and prints it.
//!
//! The files in `pinned/0.1.0` were written by that version; `pinned/0.1.0/README.md` says how.

mod compare;
mod entries;
mod hosts;
mod read;
mod record;
mod spoken;
mod version;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use self::compare::assert_holds;
use self::record::record;
use self::version::Version;
use crate::world::{files_below, package, program};

/// Names the program that [`write_the_files`] runs.
const PROGRAM: &str = "ENTRA_SSH_PINNED_PROGRAM";

/// Files by their path below the folder, and what is in them.
type Files = BTreeMap<String, String>;

/// Returns the folder of the files that version 0.1.0 wrote.
fn folder() -> PathBuf {
    package().join("tests/cli/pinned/0.1.0")
}

/// Reads the files that version 0.1.0 wrote.
fn pinned() -> Files {
    let folder = folder();
    files_below(&folder)
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(&folder).unwrap().to_str().unwrap();
            (name.to_owned(), fs::read_to_string(&path).unwrap())
        })
        .filter(|(name, _)| name != "README.md")
        .collect()
}

/// Reads one of them as JSON.
fn pinned_json(name: &str) -> Value {
    let text = fs::read_to_string(folder().join(name)).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn todays_program_writes_and_prints_what_version_0_1_0_did() {
    let world = record::world();
    let today = record(&Version::new(&world, program()));
    for (name, old) in pinned() {
        let new = today.get(&name);
        let new = new.unwrap_or_else(|| panic!("{name} is not written any more"));
        if name.starts_with(record::ENTRIES) {
            entries::assert_same_form(&name, &old, new);
        } else if Path::new(&name).extension() == Some("json".as_ref()) {
            let [old, new] = [&old, new].map(|text| serde_json::from_str::<Value>(text).unwrap());
            assert_holds(&name, &old, &new);
        } else {
            assert_eq!(without_remarks(new), without_remarks(&old), "{name}");
        }
    }
}

/// Returns a config without its remarks, which are words; the marks of blocks stay.
fn without_remarks(config: &str) -> Vec<&str> {
    let is_mark = |line: &str| line.starts_with("# >>>") || line.starts_with("# <<<");
    let lines = config.lines();
    lines
        .filter(|line| !line.starts_with("# ") || is_mark(line))
        .collect()
}

#[test]
#[ignore = "writes the files of a version: see pinned/0.1.0/README.md"]
fn write_the_files() {
    let program = PathBuf::from(std::env::var_os(PROGRAM).expect(PROGRAM));
    let world = record::world();
    for (name, text) in record(&Version::new(&world, program)) {
        let path = folder().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}
