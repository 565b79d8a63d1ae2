use clap::Args;

use super::super::context::Context;
use super::super::several::Several;
use super::super::ui::Ui;
use crate::failure::Failure;
use crate::ids::HostAlias;
use crate::ssh_config::ManagedConfig;

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
    let mut several = Several::new(args.hosts.len());
    let config = context.managed_config()?;
    let is_managed = |host: &&HostAlias| config.blocks().any(|block| block.host == **host);
    let (managed, unknown): (Vec<_>, Vec<_>) = args.hosts.iter().partition(is_managed);
    for host in unknown {
        let failure = Failure::new(format!("`{host}` is not a managed host"))
            .hint("list the managed hosts: entra-ssh config list");
        several.failed(host, failure);
    }
    let removed: Vec<_> = if managed.is_empty() {
        Vec::new()
    } else {
        let remove = |config: &mut ManagedConfig| {
            let hosts = managed.iter();
            hosts.filter_map(|host| config.remove(host)).collect()
        };
        context.change_managed_config(remove).await?
    };
    let text = removed
        .iter()
        .map(|block| format!("removed {}\n", block.host))
        .collect::<Vec<_>>()
        .concat();
    if !removed.is_empty() {
        ui.result(&super::list::rows(removed.iter()), &text)?;
    }
    several.into_result("hosts", "removed")
}
