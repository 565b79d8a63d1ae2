use serde::{Deserialize, Serialize};

use super::{Address, ResourceId};

/// The port of sshd, unless the user names another one.
pub(crate) const SSH_PORT: u16 = 22;

/// How bytes reach a machine.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Route {
    /// A TCP connection to its address.
    Direct,
    /// Through Azure Relay.
    Relay,
}

impl Route {
    /// Returns the route to a machine: direct if the user named an address, or if Azure knows one, as for a VM.
    pub(crate) fn to(machine: Option<&ResourceId>, address: Option<&Address>) -> Self {
        match (machine, address) {
            (Some(machine), None) if machine.kind().is_relayed() => Self::Relay,
            _ => Self::Direct,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_address_makes_the_route_direct() {
        let machine = |kind: &str| {
            let id = format!(
                "/subscriptions/0b1f6471-1bf0-4dda-aec3-cb9272f09590/resourceGroups/rg/providers/{kind}/m01"
            );
            id.parse::<ResourceId>().unwrap()
        };
        let vm = machine("Microsoft.Compute/virtualMachines");
        let arc = machine("Microsoft.HybridCompute/machines");
        let address: Address = "10.0.0.4".parse().unwrap();
        assert_eq!(Route::to(Some(&arc), None), Route::Relay);
        assert_eq!(Route::to(Some(&arc), Some(&address)), Route::Direct);
        assert_eq!(Route::to(Some(&vm), None), Route::Direct);
        assert_eq!(Route::to(Some(&vm), Some(&address)), Route::Direct);
        assert_eq!(Route::to(None, Some(&address)), Route::Direct);
    }
}
