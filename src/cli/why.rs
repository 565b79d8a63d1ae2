//! The last failure of any of our commands: what ssh hid behind words of its own, or a timer met at night.

use std::io;
use std::path::Path;

use clap::Args;
use serde::{Deserialize, Serialize};

use super::context::Context;
use super::failure;
use super::ui::Ui;
use crate::failure::{Failure, FailureKind, file_failure};
use crate::host::{Host, files};
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
    /// What was typed, or what ssh ran. No argument of ours is a secret.
    command: Vec<String>,
    failure: Failure,
}

/// Keeps a failure until the next one; a command line that made no sense has explained itself. That it cannot be kept must
/// not hide it.
pub(super) fn record(host: &Host, failure: &Failure) {
    if failure.kind == FailureKind::Usage {
        return;
    }
    let record = Record {
        at: host.clock.now(),
        command: std::env::args().skip(1).collect(),
        failure: failure.clone(),
    };
    let path = host.paths.last_failure();
    let kept = write(&path, &record);
    tracing::debug!(?path, ?kept, "keeps the failure for `why`");
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
            let command = command.join(" ");
            let text = failure::text(failure);
            format!("{ago} ago: entra-ssh {command}\n{text}\n")
        }
    };
    ui.result(&record, &text)?;
    Ok(())
}
