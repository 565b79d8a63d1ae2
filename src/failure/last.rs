//! The last failure, for `why`: of a command, or of a login that the agent saw.

use std::ffi::OsString;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Failure, FailureKind};
use crate::host::{Host, files, process};
use crate::line::Line;
use crate::time::UnixTime;

/// The largest record to read, in bytes.
pub(crate) const MAX_BYTES: usize = 64 * 1024;

/// A recorded failure.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Record {
    /// When it happened.
    pub at: UnixTime,
    /// What was typed, or what ssh ran, up to a `--`: what follows it is for ssh and the machine, and may hold a secret
    /// (`mysql -phunter2`). No argument of ours is one.
    pub command: Vec<Line>,
    /// What failed.
    pub failure: Failure,
}

/// Records a failure of this process, in place of the last one. An invalid command line has explained itself and is left out.
/// If it cannot be recorded, that must not hide it.
pub(crate) fn keep(host: &Host, failure: &Failure) {
    // Root with another user's home would leave a folder there that its owner could not use.
    if failure.kind == FailureKind::Usage || files::is_foreign_to_root(&host.paths.home) {
        return;
    }
    let record = Record {
        at: host.clock.now(),
        command: own_arguments(process::arguments().skip(1)),
        failure: failure.clone(),
    };
    let path = host.paths.last_failure();
    let kept = write(&path, &record);
    tracing::debug!(?path, ?kept, "keeps the failure for `why`");
}

/// Separates our arguments from those for ssh and the machine.
const FOREIGN: &str = "--";

/// Returns our own arguments, with `--` at the end if others follow.
fn own_arguments(all: impl IntoIterator<Item = OsString>) -> Vec<Line> {
    let mut own = Vec::new();
    for argument in all {
        let is_end = argument == FOREIGN;
        own.push(Line::from(&*argument.to_string_lossy()));
        if is_end {
            break;
        }
    }
    own
}

fn write(path: &Path, record: &Record) -> io::Result<()> {
    let folder = path.parent().unwrap_or(path);
    files::make_private_folder(folder)?;
    let json = serde_json::to_vec(record).map_err(io::Error::other)?;
    files::write(path, &json, files::Access::Private)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_kept_of_what_is_run_on_a_machine() {
        let typed = |line: &str| own_arguments(line.split(' ').map(OsString::from));
        assert_eq!(
            typed("ssh web01 -- mysql -phunter2 -- -x"),
            ["ssh", "web01", "--"]
        );
        assert_eq!(typed("proxy --port 22"), ["proxy", "--port", "22"]);
    }

    #[cfg(unix)]
    #[test]
    fn an_argument_that_is_no_text_or_more_than_a_line_is_kept_as_a_line() {
        use std::os::unix::ffi::OsStringExt as _;
        let typed = [b"a\xff".to_vec(), b"b\nhint: x\x1b".to_vec()].map(OsString::from_vec);
        assert_eq!(own_arguments(typed), ["a\u{fffd}", "b hint: x\u{fffd}"]);
    }
}
