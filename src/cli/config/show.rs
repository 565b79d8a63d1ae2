use clap::Args;

use super::super::context::Context;
use super::super::ui::Ui;
use crate::failure::Failure;
use crate::hosts::HostsError;
use crate::ids::HostAlias;
use crate::ssh_config::ManagedConfig;

/// Print the block of a managed host in your ssh config
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  entra-ssh config show web01")]
pub(in super::super) struct ShowArgs {
    /// Host alias, as `config list` shows it
    host: HostAlias,
}

pub(in super::super) fn run(ui: Ui, context: &Context, args: &ShowArgs) -> Result<(), Failure> {
    let hosts = context.hosts();
    let block = hosts.find(&args.host)?.ok_or_else(|| {
        let host = args.host.clone();
        HostsError::NotManaged { host }
    })?;
    let paths = hosts.local_paths()?;
    let text = ManagedConfig::render_block(&block, &paths)?;
    let options: serde_json::Map<_, _> = block
        .options(&paths)?
        .into_iter()
        .map(|(keyword, value)| (keyword.to_owned(), value.as_str().into()))
        .collect();
    ui.result(
        &serde_json::json!({ "host": block.host, "options": options }),
        &text,
    )?;
    Ok(())
}
