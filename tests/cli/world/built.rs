//! Where the program and the files of the tests are: `tests/run` as root copies them to where an ordinary account can reach them.

use std::path::{Path, PathBuf};

/// Returns the path of `entra-ssh`: beside the folder of this test's own program, since `tests/run` may copy both.
pub(crate) fn program() -> PathBuf {
    let built = Path::new(env!("CARGO_BIN_EXE_entra-ssh"));
    let this = std::env::current_exe().unwrap();
    let beside = this
        .ancestors()
        .nth(2)
        .unwrap()
        .join(built.file_name().unwrap());
    if beside.exists() {
        beside
    } else {
        built.to_owned()
    }
}

/// Returns the folder of this package, as Cargo says when it runs the tests.
pub(crate) fn package() -> PathBuf {
    std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from)
}

#[test]
fn no_test_looks_for_program_or_files_where_they_were_built() {
    let tests = package().join("tests/cli");
    let files = super::files_below(&tests);
    let names_built = |file: &&PathBuf| {
        let text = std::fs::read_to_string(file).unwrap();
        text.contains("env!(\"CARGO_")
    };
    let naming: Vec<_> = files.iter().filter(names_built).collect();
    assert_eq!(naming, [&tests.join("world/built.rs")]);
}
