use std::fmt::Write as _;

use clap::Args;

use super::super::context::Context;
use super::super::ui::Ui;
use super::rows;
use crate::failure::Failure;

/// List the managed hosts
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  entra-ssh config list\n  entra-ssh config list -o json")]
pub(in super::super) struct ListArgs {}

pub(in super::super) fn run(ui: Ui, context: &Context, _args: ListArgs) -> Result<(), Failure> {
    let config = context.hosts().read()?;
    let width = config
        .blocks()
        .map(|block| block.host.as_str().len())
        .max()
        .unwrap_or(0);
    let mut text = String::new();
    for block in config.blocks() {
        let id = block.resource_id.as_ref().map(ToString::to_string);
        let address = block.address.as_ref().map(ToString::to_string);
        // Writing to a String does not fail.
        let _written = writeln!(
            text,
            "{:width$}  {}  {}",
            block.host,
            block.user,
            id.or(address).unwrap_or_default()
        );
    }
    ui.result(&rows::of(config.blocks()), &text)?;
    Ok(())
}
