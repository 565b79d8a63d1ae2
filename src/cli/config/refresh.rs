use clap::Args;

use super::super::context::Context;
use super::super::ui::Ui;
use crate::failure::Failure;

/// Write all managed hosts anew, for example after this program has moved
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  entra-ssh config refresh")]
pub(in super::super) struct RefreshArgs {}

pub(in super::super) async fn run(
    ui: Ui,
    context: &Context,
    _args: RefreshArgs,
) -> Result<(), Failure> {
    let blocks = context
        .change_managed_config(|config| config.blocks().cloned().collect::<Vec<_>>())
        .await?;
    let text = format!("wrote {} hosts anew\n", blocks.len());
    ui.result(&super::list::rows(blocks.iter()), &text)?;
    Ok(())
}
