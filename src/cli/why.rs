//! The last failure of any of our commands: what ssh hid behind words of its own, or a timer met at night.

use std::ffi::OsString;
use std::io;
use std::path::Path;

use clap::Args;
use serde::{Deserialize, Serialize};

use super::context::Context;
use super::failure;
use super::ui::Ui;
use crate::failure::{Failure, FailureKind, file_failure};
use crate::host::{Host, files};
use crate::line::Line;
use crate::time::{Spoken, UnixTime};

/// The largest record that is read, in bytes.
const MAX_BYTES: usize = 64 * 1024;

/// Tell what failed last, why, and what to do about it
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  entra-ssh why\n  entra-ssh why -o json")]
pub(super) struct WhyArgs {}

/// A failure, as it is kept.
#[derive(Debug, Deserialize, Serialize)]
struct Record {
    at: UnixTime,
    /// What was typed, or what ssh ran, up to a `--`: what follows it is for ssh and the machine, and may hold a secret
    /// (`mysql -phunter2`). No argument of ours is one.
    command: Vec<Line>,
    failure: Failure,
}

/// Keeps a failure until the next one; a command line that made no sense has explained itself. That it cannot be kept must
/// not hide it.
pub(super) fn record(host: &Host, failure: &Failure) {
    // Root with another user's home would leave a folder there that its owner could not use.
    if failure.kind == FailureKind::Usage || files::is_foreign_to_root(&host.paths.home) {
        return;
    }
    let record = Record {
        at: host.clock.now(),
        command: own_arguments(std::env::args_os().skip(1)),
        failure: failure.clone(),
    };
    let path = host.paths.last_failure();
    let kept = write(&path, &record);
    tracing::debug!(?path, ?kept, "keeps the failure for `why`");
}

/// What begins the arguments for ssh and the machine.
const FOREIGN: &str = "--";

/// Returns the arguments that are ours. That others follow shows by a `--` at the end.
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

pub(super) fn run(ui: Ui, context: &Context, _: &WhyArgs) -> Result<(), Failure> {
    let path = context.host.paths.last_failure();
    let text = files::read_text_if_there(&path, MAX_BYTES)
        .map_err(|error| file_failure("read", &path, &error))?;
    // What cannot be understood is another version's.
    let record: Option<Record> = text.and_then(|text| serde_json::from_str(&text).ok());
    let text = match &record {
        None => "nothing has failed\n".to_owned(),
        Some(Record {
            at,
            command,
            failure,
        }) => {
            let ago = Spoken(context.host.clock.now().since(*at));
            let mut command = command.join(" ");
            if command.ends_with(" --") {
                command.push_str(" …");
            }
            let text = failure::text(failure);
            format!("{ago} ago: entra-ssh {command}\n{text}\n")
        }
    };
    ui.result(&record, &text)?;
    Ok(())
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
