use crate::ids::{Address, ProfileName, ResourceId, Route, Tenancy};
use crate::ssh_config;

/// A machine, and the account it is reached as.
#[derive(Clone, Debug)]
pub(crate) struct Destination {
    /// The machine; absent if only its address is known.
    pub(crate) machine: Option<ResourceId>,
    /// The address that the user named.
    pub(crate) address: Option<Address>,
    /// The port on the machine.
    pub(crate) port: u16,
    /// Whether to use a VM's private address even if it has a public one.
    pub(crate) prefer_private_ip: bool,
    pub(crate) profile: ProfileName,
    pub(crate) tenancy: Tenancy,
}

impl Destination {
    /// Returns how bytes reach the machine.
    pub(crate) fn route(&self) -> Route {
        Route::to(self.machine.as_ref(), self.address.as_ref())
    }

    /// Returns the name to show to the user: the machine's, or its address if nothing else is known.
    pub(crate) fn name(&self) -> String {
        match (&self.machine, &self.address) {
            (Some(machine), _) => machine.name().to_string(),
            (None, Some(address)) => address.to_string(),
            (None, None) => String::new(),
        }
    }

    /// Returns the name that ssh keeps the machine's host key by, the same as for a managed host of this machine.
    pub(crate) fn host_key_alias(&self) -> String {
        ssh_config::host_key_alias(self.machine.as_ref(), self.address.as_ref(), self.port)
            .unwrap_or_else(|| self.name())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::ids::SSH_PORT;
    use crate::ssh_config::{Block, Identity, LocalPaths};

    const ARC: &str = "/subscriptions/0b1f6471-1bf0-4dda-aec3-cb9272f09590/resourceGroups/rg-web/providers/\
        Microsoft.HybridCompute/machines/web01";

    /// Returns the name that the host key of a managed host has in its options for ssh.
    fn alias_of_managed_host(destination: &Destination) -> String {
        let block = Block {
            host: "web01".parse().unwrap(),
            resource_id: destination.machine.clone(),
            user: "alice@contoso.com".parse().unwrap(),
            route: destination.route(),
            identity: Identity::Agent,
            profile: destination.profile.clone(),
            tenant: None,
            port: destination.port,
            address: destination.address.clone(),
            prefer_private_ip: destination.prefer_private_ip,
            private_key_file: None,
            public_key_file: None,
        };
        let path = |name: &str| Path::new("/home/alice").join(name);
        let paths = LocalPaths {
            program: path("entra-ssh"),
            agent_socket: path("agent"),
            known_hosts: path("known_hosts"),
            keys: path("keys"),
        };
        let options = block.options(&paths).unwrap();
        let (_, alias) = options
            .iter()
            .find(|(option, _)| *option == "HostKeyAlias")
            .unwrap();
        alias.to_string()
    }

    #[test]
    fn a_forwarded_port_and_a_managed_host_keep_one_host_key() {
        let address = || Some("192.0.2.7".parse().unwrap());
        let machine = || Some(ARC.parse::<ResourceId>().unwrap());
        for (machine, address, port, expected) in [
            (None, address(), SSH_PORT, Some("192.0.2.7")),
            (None, address(), 2222, Some("[192.0.2.7]:2222")),
            (machine(), None, 2222, None),
            (machine(), address(), 2222, None),
        ] {
            let destination = Destination {
                machine,
                address,
                port,
                prefer_private_ip: false,
                profile: ProfileName::default(),
                tenancy: Tenancy::Home,
            };
            let alias = destination.host_key_alias();
            assert_eq!(alias, alias_of_managed_host(&destination));
            match (expected, &destination.machine) {
                (Some(expected), _) => assert_eq!(alias, expected),
                (None, machine) => {
                    assert_eq!(Some(alias), machine.as_ref().map(ResourceId::to_host_name));
                }
            }
        }
    }
}
