use clap::Args;

use super::super::context::Context;
use super::super::several::Several;
use super::super::ui::Ui;
use super::rows;
use crate::failure::Failure;
use crate::hosts::HostsError;
use crate::ids::HostAlias;
use crate::ssh_config::ManagedConfig;

/// Remove managed hosts
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  entra-ssh config remove web01 web02")]
pub(in super::super) struct RemoveArgs {
    /// Host aliases, as `config list` shows them
    #[arg(required = true)]
    hosts: Vec<HostAlias>,
}

pub(in super::super) async fn run(
    ui: Ui,
    context: &Context,
    args: RemoveArgs,
) -> Result<(), Failure> {
    let mut several = Several::new(args.hosts.len());
    let config = context.hosts().read()?;
    let is_managed = |host: &&HostAlias| config.blocks().any(|block| block.host == **host);
    let (managed, unknown): (Vec<_>, Vec<_>) = args.hosts.iter().partition(is_managed);
    for host in unknown {
        let error = HostsError::NotManaged { host: host.clone() };
        several.failed(host, error.into());
    }
    let removed: Vec<_> = if managed.is_empty() {
        Vec::new()
    } else {
        let remove = |config: &mut ManagedConfig| {
            let hosts = managed.iter();
            hosts.filter_map(|host| config.remove(host)).collect()
        };
        context.change_hosts(remove).await?
    };
    let text = removed
        .iter()
        .map(|block| format!("removed {}\n", block.host))
        .collect::<Vec<_>>()
        .concat();
    if !removed.is_empty() {
        ui.result(&rows::of(removed.iter()), &text)?;
    }
    several.into_result("hosts", "removed")
}
