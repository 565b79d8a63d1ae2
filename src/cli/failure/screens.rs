//! What users read of each kind of error, one file for each domain below `tests/snapshots/failures`: those that no test of the
//! command line can cause, too.

mod cloud;
mod local;

use std::io::{Error, ErrorKind};
use std::path::PathBuf;

use super::{Failure, text};
use crate::failure::FailureKind;

/// Compares what failures of a domain read like with their file.
#[track_caller]
fn check(domain: &str, failures: impl IntoIterator<Item = Failure>) {
    let screens: Vec<_> = failures
        .into_iter()
        .map(|failure| {
            let status = match failure.kind {
                FailureKind::Failed => 1,
                FailureKind::Usage => 2,
                FailureKind::Dropped => 3,
                FailureKind::SignInNeeded => 4,
            };
            format!("{}\n--- exit status {status}\n", text(&failure))
        })
        .collect();
    let mut settings = insta::Settings::new();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/snapshots/failures");
    settings.set_snapshot_path(folder);
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(domain, screens.join("\n")));
}

fn host() -> String {
    "host.example".to_owned()
}

fn machine() -> String {
    "web01".to_owned()
}

fn reset() -> Error {
    ErrorKind::ConnectionReset.into()
}

fn path() -> PathBuf {
    "/home/ada/file".into()
}
