//! The options of `config add` and `ssh`, which say how a machine is logged in to, and the host that they make.

use std::io;
use std::path::PathBuf;

use clap::Args;

use super::config::account::{self, Found};
use super::identity;
use super::login_names::LoginNames;
use super::path_arg::{self, absolute};
use crate::certificate::RenewWhen;
use crate::failure::{Failure, FailureKind, file_failure};
use crate::ids::{
    Address, HostAlias, Principal, ResourceGroup, ResourceId, Route, SSH_PORT, Tenancy,
};
use crate::inventory::target::Target;
use crate::ssh_config::{Block, Identity};

/// How a machine is logged in to.
#[derive(Args, Clone, Debug)]
pub(super) struct HostOptions {
    /// Log in as this local account of the machine, with your own key instead of a certificate
    #[arg(long, value_name = "NAME")]
    local_user: Option<Principal>,
    /// Private key for --local-user [default: the keys that ssh tries]
    #[arg(long, value_name = "FILE", requires = "local_user", value_parser = path_arg::parser())]
    private_key_file: Option<PathBuf>,
    /// Keep key and certificate in the agent of entra-ssh (agent), in your own agent at `SSH_AUTH_SOCK` (system-agent), or in files
    /// (file)
    #[arg(long, value_name = "WHERE", default_value = "agent", conflicts_with = "local_user", value_parser = parse_identity)]
    identity: Identity,
    /// Use your own key and keep a certificate for it; the private key may be in hardware or in your own agent
    #[arg(long, value_name = "FILE", conflicts_with_all = ["local_user", "identity"], value_parser = path_arg::parser())]
    public_key_file: Option<PathBuf>,
    /// The port of sshd on the machine, if it is not 22
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    /// Connect to this address, without asking Azure for one
    #[arg(long, value_name = "ADDRESS", conflicts_with = "prefer_private_ip")]
    ip: Option<Address>,
    /// Connect to an Azure VM's private address, even if it has a public one
    #[arg(long)]
    prefer_private_ip: bool,
}

impl HostOptions {
    /// Returns whether no option is set.
    pub(super) fn are_default(&self) -> bool {
        self.identity == Identity::Agent
            && self.local_user.is_none()
            && self.private_key_file.is_none()
            && self.public_key_file.is_none()
            && self.port.is_none()
            && self.ip.is_none()
            && !self.prefer_private_ip
    }

    /// Returns the machine at the address of `--ip`, for a command line that names no other.
    pub(super) fn target(&self) -> Option<Target> {
        self.ip.clone().map(Target::Address)
    }
}

/// Refuses `--prefer-private-ip` where there is no choice of addresses.
pub(super) fn check_private_ip(
    prefer_private_ip: bool,
    machine: Option<&ResourceId>,
) -> Result<(), Failure> {
    let what = match machine {
        Some(machine) if machine.kind().is_relayed() => {
            format!("`{}` is an {}", machine.name(), machine.kind())
        }
        None => "an address is named".to_owned(),
        Some(_) => return Ok(()),
    };
    if !prefer_private_ip {
        return Ok(());
    }
    Err(
        Failure::new(format!("{what}, and --prefer-private-ip is for Azure VMs"))
            .kind(FailureKind::Usage)
            .hint("leave --prefer-private-ip out"),
    )
}

/// Finds a machine and says how it is reached. The login name is the certificate's first principal, so that a certificate
/// is issued if there is none.
pub(super) async fn block(
    names: &mut LoginNames<'_>,
    target: &Target,
    group: Option<&ResourceGroup>,
    options: &HostOptions,
) -> Result<Block, Failure> {
    let (ui, context) = (names.ui, names.context);
    let Found {
        machine: resource_id,
        profile,
        tenant,
    } = account::find(ui, context, target, group).await?;
    check_private_ip(options.prefer_private_ip, resource_id.as_ref())?;
    let public_key_file = options.public_key_file.as_deref().map(absolute);
    let public_key_file = public_key_file.transpose()?;
    let (user, identity) = if let Some(user) = &options.local_user {
        (user.clone(), Identity::Own)
    } else if let Some(file) = &public_key_file {
        let keep = async || {
            identity::certificate_of_own_key(
                context,
                &profile,
                tenant.as_ref(),
                file,
                RenewWhen::Due,
            )
            .await
        };
        let (certificate, _) = context.answering(ui, &profile, keep).await?;
        let now = context.host.clock.now();
        context.record_warnings(&certificate.explain().summarize(now, None));
        (certificate.login_name().clone(), Identity::PublicKey)
    } else {
        let tenancy = Tenancy::of(tenant.as_ref(), resource_id.as_ref());
        (names.of(&profile, &tenancy).await?, options.identity)
    };
    let private_key_file = match &options.private_key_file {
        Some(file) if !file.is_file() => {
            return Err(file_failure("find", file, &io::ErrorKind::NotFound.into()));
        }
        Some(file) => Some(absolute(file)?),
        None => None,
    };
    let address = match (&options.ip, target) {
        (None, Target::Address(address)) => Some(address),
        (given, _) => given.as_ref(),
    };
    let route = Route::to(resource_id.as_ref(), address);
    Ok(Block {
        host: alias_of(target)?,
        user,
        route,
        identity,
        profile,
        tenant,
        port: options.port.unwrap_or(SSH_PORT),
        address: address.cloned(),
        prefer_private_ip: options.prefer_private_ip
            && resource_id.is_some()
            && route == Route::Direct,
        private_key_file,
        public_key_file,
        resource_id,
    })
}

/// Returns the tenant that the certificate of a managed host comes from.
pub(super) fn tenancy(block: &Block) -> Tenancy {
    Tenancy::of(block.tenant.as_ref(), block.resource_id.as_ref())
}

fn parse_identity(text: &str) -> Result<Identity, String> {
    match text {
        "agent" => Ok(Identity::Agent),
        "file" => Ok(Identity::File),
        "system-agent" => Ok(Identity::SystemAgent),
        _ => Err(format!(
            "invalid value `{text}`: expected agent, system-agent or file"
        )),
    }
}

/// Returns the alias of a machine: its name as it was typed, since ssh tells upper from lower case where Azure does not.
fn alias_of(target: &Target) -> Result<HostAlias, Failure> {
    let name = match target {
        Target::Address(address) => address.as_str(),
        Target::Id(id) => id.name().as_str(),
        Target::Name { name, .. } => name.as_str(),
    };
    Ok(name.parse()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_address_is_preferred_only_where_there_is_a_choice() {
        let machine = |kind: &str| {
            let id = format!(
                "/subscriptions/0b1f6471-1bf0-4dda-aec3-cb9272f09590/resourceGroups/rg/providers/{kind}/m01"
            );
            id.parse::<ResourceId>().unwrap()
        };
        let vm = machine("Microsoft.Compute/virtualMachines");
        let arc = machine("Microsoft.HybridCompute/machines");
        assert!(check_private_ip(true, Some(&vm)).is_ok());
        for machine in [None, Some(&arc)] {
            assert!(check_private_ip(false, machine).is_ok());
            let refusal = check_private_ip(true, machine).unwrap_err();
            assert_eq!(refusal.kind, FailureKind::Usage);
        }
    }
}
