use clap::Args;

use super::super::context::Context;
use super::super::ui::Ui;
use crate::failure::Failure;
use crate::ids::HostAlias;

/// Remove managed hosts
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  entra-ssh config remove web01 web02")]
pub(in super::super) struct RemoveArgs {
    /// The hosts, as `config list` shows them
    #[arg(required = true)]
    hosts: Vec<HostAlias>,
}

pub(in super::super) async fn run(
    ui: Ui,
    context: &Context,
    args: RemoveArgs,
) -> Result<(), Failure> {
    let config = context.managed_config()?;
    if let Some(unknown) = args
        .hosts
        .iter()
        .find(|host| config.blocks().all(|block| block.host != **host))
    {
        return Err(Failure::new(format!("`{unknown}` is no managed host"))
            .hint("see which there are: entra-ssh config list"));
    }
    let removed = context
        .change_managed_config(|config| {
            args.hosts
                .iter()
                .filter_map(|host| config.remove(host))
                .collect::<Vec<_>>()
        })
        .await?;
    let text = removed
        .iter()
        .map(|block| format!("removed {}\n", block.host))
        .collect::<Vec<_>>()
        .concat();
    ui.result(&super::list::rows(removed.iter()), &text)?;
    Ok(())
}
