//! The names that ssh knows a machine by.

use super::Block;
use crate::ids::{Address, ResourceId, SSH_PORT, Tenancy};

impl Block {
    /// Returns the tenant that the host's certificate comes from.
    pub(crate) fn tenancy(&self) -> Tenancy {
        Tenancy::of(self.tenant.as_ref(), self.resource_id.as_ref())
    }

    /// Returns what ssh takes for the host, and makes the path of a shared connection of (`ControlPath`). It is as unique as the
    /// machine, since connections to two machines must not meet at one path.
    #[must_use]
    pub(crate) fn host_name(&self) -> String {
        host_name(self.resource_id.as_ref(), self.address.as_ref())
            .unwrap_or_else(|| self.host.to_string())
    }

    /// Returns the name that the machine's key is kept by: see [`host_key_alias`].
    pub(super) fn host_key_alias(&self) -> String {
        host_key_alias(self.resource_id.as_ref(), self.address.as_ref(), self.port)
            .unwrap_or_else(|| self.host.to_string())
    }
}

fn host_name(machine: Option<&ResourceId>, address: Option<&Address>) -> Option<String> {
    let name = machine.map(ResourceId::to_host_name);
    name.or_else(|| address.map(|address| address.as_str().to_lowercase()))
}

/// Returns the name that a machine's key is kept by: its own if it has one, or else what ssh itself would call a host at its
/// address.
#[must_use]
pub(crate) fn host_key_alias(
    machine: Option<&ResourceId>,
    address: Option<&Address>,
    port: u16,
) -> Option<String> {
    let name = host_name(machine, address)?;
    Some(match machine {
        // `known_hosts` names every port but this one.
        None if port != SSH_PORT => format!("[{name}]:{port}"),
        _ => name,
    })
}
