//! Every screen in a file of its own below `snapshots`, so that words are seen in one place and change only on purpose.
//!
//! `INSTA_UPDATE=always cargo test --test cli screens` accepts what is printed now.

mod help;

use std::path::PathBuf;

use crate::world::package;

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

/// Returns the folder of all screens.
fn snapshots() -> PathBuf {
    package().join("tests/cli/snapshots")
}
