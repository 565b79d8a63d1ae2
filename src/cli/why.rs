//! Shows the last failure of any entra-ssh command: one that ssh hid behind its own message, or that a timer met at night.

use clap::Args;

use super::context::Context;
use super::failure;
use super::ui::Ui;
use crate::failure::last::{MAX_BYTES, Record};
use crate::failure::{Failure, file_failure};
use crate::host::files;
use crate::time::Spoken;

/// Show the last failure, its cause and how to fix it
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  entra-ssh why\n  entra-ssh why -o json")]
pub(super) struct WhyArgs {}

pub(super) async fn run(ui: Ui, context: &Context, _: &WhyArgs) -> Result<(), Failure> {
    let path = context.host.paths.last_failure();
    let text = files::read_text_if_there(&path, MAX_BYTES)
        .map_err(|error| file_failure("read", &path, &error))?;
    // Another version may have written a form that this one cannot read.
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
    if let Ok(Some(status)) = context.agent.status().await {
        for unsaved in &status.unsaved {
            ui.say(&format!("warning: {unsaved}"));
        }
        if status.is_locked {
            ui.say(&format!(
                "warning: the agent is locked\nhint: {}",
                context.unlock_hint()
            ));
        }
    }
    Ok(())
}
