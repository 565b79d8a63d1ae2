//! The options that say where a machine is reached, of every command that connects or adds a host.

use clap::Args;

use crate::failure::{Failure, FailureKind};
use crate::ids::{Address, ResourceId};
use crate::inventory::Target;

/// Where a machine is reached.
#[derive(Args, Clone, Debug)]
pub(super) struct RouteArgs {
    /// Port on the machine [default: the managed host's, or 22]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) port: Option<u16>,
    /// Connect to this address, without asking Azure for one
    #[arg(long, value_name = "ADDRESS", conflicts_with = "prefer_private_ip")]
    pub(super) ip: Option<Address>,
    /// Connect to an Azure VM's private address, even if it has a public one
    #[arg(long)]
    pub(super) prefer_private_ip: bool,
}

impl RouteArgs {
    /// Returns whether the user gave none of these options.
    pub(super) const fn are_default(&self) -> bool {
        self.port.is_none() && self.ip.is_none() && !self.prefer_private_ip
    }

    /// Returns the machine at the address of `--ip`, for a command that names no other.
    pub(super) fn target(&self) -> Option<Target> {
        self.ip.clone().map(Target::Address)
    }

    /// Returns the address that the user named: by `--ip`, or else as the target.
    pub(super) fn address(&self, target: &Target) -> Option<Address> {
        self.ip.clone().or_else(|| match target {
            Target::Address(address) => Some(address.clone()),
            Target::Id(_) | Target::Name { .. } => None,
        })
    }

    /// Refuses `--prefer-private-ip` for a machine without a choice of addresses.
    pub(super) fn check(&self, machine: Option<&ResourceId>) -> Result<(), Failure> {
        let what = match machine {
            _ if !self.prefer_private_ip => return Ok(()),
            Some(machine) if machine.kind().is_relayed() => {
                format!("`{}` is an {}", machine.name(), machine.kind())
            }
            Some(_) => return Ok(()),
            None => "an address is named".to_owned(),
        };
        Err(
            Failure::new(format!("{what}, and --prefer-private-ip is for Azure VMs"))
                .kind(FailureKind::Usage)
                .hint("leave --prefer-private-ip out"),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(prefer_private_ip: bool) -> RouteArgs {
        RouteArgs {
            port: None,
            ip: None,
            prefer_private_ip,
        }
    }

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
        assert!(route(true).check(Some(&vm)).is_ok());
        for machine in [None, Some(&arc)] {
            assert!(route(false).check(machine).is_ok());
            let refusal = route(true).check(machine).unwrap_err();
            assert_eq!(refusal.kind, FailureKind::Usage);
        }
    }
}
