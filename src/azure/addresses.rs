use std::net::IpAddr;

use azure_core::http::Method;
use futures_util::future::try_join_all;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::network_resource::NetworkResource;
use super::power_state::PowerState;
use super::{Action, AzureError, ResourceManager};
use crate::ids::ResourceId;

const VM_API_VERSION: &str = "2024-11-01";
const INTERFACE_API_VERSION: &str = "2022-01-01";
const PUBLIC_ADDRESS_API_VERSION: &str = "2022-05-01";
/// How many network interfaces of a VM are read at most; the largest sizes have fewer.
const MAX_INTERFACES: usize = 16;
/// How many addresses of one interface are read at most.
const MAX_CONFIGURATIONS: usize = 16;
/// The addresses of a VM, and whether it runs.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct VmAddresses {
    /// The public addresses; those of the primary interface come first.
    pub public: Vec<IpAddr>,
    /// The private addresses, in the same order.
    pub private: Vec<IpAddr>,
    /// Whether it runs.
    pub power: PowerState,
}

/// A resource with its properties. Azure leaves out what does not exist: the interfaces of a VM without any, an address that
/// is not assigned yet.
#[derive(Debug, Deserialize)]
struct Resource<T> {
    #[serde(default)]
    properties: T,
}

/// The name of a resource.
#[derive(Debug, Default, Deserialize)]
struct Reference {
    #[serde(default)]
    id: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Vm {
    network_profile: NetworkProfile,
    instance_view: InstanceView,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct NetworkProfile {
    network_interfaces: Vec<InterfaceReference>,
}

#[derive(Debug, Deserialize)]
struct InterfaceReference {
    #[serde(default)]
    id: String,
    #[serde(default)]
    properties: Rank,
}

/// Whether this is the primary one, whose address is used first.
#[derive(Debug, Default, Deserialize)]
struct Rank {
    #[serde(default)]
    primary: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct InstanceView {
    statuses: Vec<Status>,
}

#[derive(Debug, Deserialize)]
struct Status {
    #[serde(default)]
    code: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Interface {
    ip_configurations: Vec<Resource<IpConfiguration>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct IpConfiguration {
    primary: bool,
    #[serde(rename = "privateIPAddress")]
    private_address: Option<String>,
    #[serde(rename = "publicIPAddress")]
    public_address: Option<Reference>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PublicAddress {
    ip_address: Option<String>,
}

impl ResourceManager {
    /// Looks up the addresses of a VM: the VM, its network interfaces, and their public addresses, each in one round.
    ///
    /// # Errors
    /// [`AzureError`].
    pub async fn vm_addresses(&self, vm: &ResourceId) -> Result<VmAddresses, AzureError> {
        let query = [("$expand", "instanceView"), ("api-version", VM_API_VERSION)];
        let machine: Vm = self
            .properties(&vm.to_string(), &query, vm.name().as_str())
            .await?;
        let interfaces = machine.interfaces();
        let interfaces = interfaces
            .iter()
            .map(|interface| self.network_resource(interface, INTERFACE_API_VERSION));
        let configurations = configurations(try_join_all(interfaces).await?);
        let public = public_addresses(&configurations);
        let public = public
            .iter()
            .map(|address| self.network_resource(address, PUBLIC_ADDRESS_API_VERSION));
        let public: Vec<PublicAddress> = try_join_all(public).await?;
        Ok(VmAddresses {
            public: parsed(public.iter().map(|address| &address.ip_address)),
            private: parsed(configurations.iter().map(|one| &one.private_address)),
            power: machine.power(),
        })
    }

    async fn network_resource<T: DeserializeOwned + Default>(
        &self,
        resource: &NetworkResource,
        api_version: &str,
    ) -> Result<T, AzureError> {
        let query = [("api-version", api_version)];
        self.properties(&resource.path, &query, &resource.name)
            .await
    }

    async fn properties<T: DeserializeOwned + Default>(
        &self,
        path: &str,
        query: &[(&str, &str)],
        name: &str,
    ) -> Result<T, AzureError> {
        let url = self.url(path, query);
        let reply = self.send(Method::Get, url, None::<&()>).await?;
        let resource: Resource<T> = reply.json(Action::LookUpAddress, name)?;
        Ok(resource.properties)
    }
}

impl Vm {
    /// Returns the network interfaces, the primary one first.
    fn interfaces(&self) -> Vec<NetworkResource> {
        let mut references: Vec<_> = self.network_profile.network_interfaces.iter().collect();
        references.sort_by_key(|reference| !reference.properties.primary);
        references
            .into_iter()
            .filter_map(|reference| NetworkResource::parse(&reference.id, "networkInterfaces"))
            .take(MAX_INTERFACES)
            .collect()
    }

    fn power(&self) -> PowerState {
        let mut statuses = self.instance_view.statuses.iter();
        statuses
            .find_map(|status| PowerState::from_code(&status.code))
            .unwrap_or(PowerState::Unknown)
    }
}

/// Returns what the interfaces are set to, in their order, and of each the primary configuration first.
fn configurations(interfaces: Vec<Interface>) -> Vec<IpConfiguration> {
    interfaces
        .into_iter()
        .flat_map(|interface| {
            let mut of_one: Vec<_> = interface
                .ip_configurations
                .into_iter()
                .map(|configuration| configuration.properties)
                .collect();
            of_one.sort_by_key(|configuration| !configuration.primary);
            of_one.truncate(MAX_CONFIGURATIONS);
            of_one
        })
        .collect()
}

fn public_addresses(configurations: &[IpConfiguration]) -> Vec<NetworkResource> {
    configurations
        .iter()
        .filter_map(|configuration| configuration.public_address.as_ref())
        .filter_map(|address| NetworkResource::parse(&address.id, "publicIPAddresses"))
        .collect()
}

fn parsed<'a>(texts: impl Iterator<Item = &'a Option<String>>) -> Vec<IpAddr> {
    texts
        .filter_map(|text| text.as_ref()?.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const NETWORK: &str = "/subscriptions/0b1f6471-1bf0-4dda-aec3-cb9272f09590/resourceGroups/rg-vm/providers/\
        Microsoft.Network";

    fn read<T: DeserializeOwned + Default>(value: Value) -> T {
        serde_json::from_value::<Resource<T>>(value)
            .unwrap()
            .properties
    }

    fn names(resources: &[NetworkResource]) -> Vec<&str> {
        let names = resources.iter().map(|resource| resource.name.as_str());
        names.collect()
    }

    #[test]
    fn the_primary_interface_comes_first() {
        let interface = |name: &str, properties: Value| json!({"id": format!("{NETWORK}/networkInterfaces/{name}"), "properties": properties});
        let vm: Vm = read(
            json!({"properties": {"networkProfile": {"networkInterfaces": [
                interface("a", json!({"primary": false})),
                interface("b", json!({})),
                interface("c", json!({"primary": true})),
            ]}}}),
        );
        assert_eq!(names(&vm.interfaces()), ["c", "a", "b"]);
        let single = json!({"id": format!("{NETWORK}/networkInterfaces/only")});
        let vm: Vm =
            read(json!({"properties": {"networkProfile": {"networkInterfaces": [single]}}}));
        assert_eq!(names(&vm.interfaces()), ["only"]);
    }

    #[test]
    fn what_is_left_out_is_not_there() {
        let bare = [
            json!({}),
            json!({"properties": {}}),
            json!({"properties": {"networkProfile": {}, "instanceView": {}}}),
        ];
        for vm in bare {
            let vm: Vm = read(vm);
            assert!(vm.interfaces().is_empty());
            assert_eq!(vm.power(), PowerState::Unknown);
        }
        let interface: Interface = read(json!({"properties": {"ipConfigurations": [
            {}, {"properties": {"privateIPAddress": "10.0.0.4"}}, {"properties": {"publicIPAddress": {}}},
        ]}}));
        let configurations = configurations(vec![interface, Interface::default()]);
        assert_eq!(configurations.len(), 3);
        assert!(public_addresses(&configurations).is_empty());
        let private = parsed(configurations.iter().map(|one| &one.private_address));
        assert_eq!(private, ["10.0.0.4".parse::<IpAddr>().unwrap()]);
        // Of a dynamic address, a VM that is deallocated has only the name.
        let unassigned: PublicAddress =
            read(json!({"properties": {"publicIPAllocationMethod": "Dynamic"}}));
        assert!(parsed([&unassigned.ip_address].into_iter()).is_empty());
    }

    #[test]
    fn the_primary_configuration_comes_first_and_both_families_count() {
        let one = |primary: bool, private: &str, public: &str| {
            json!({"properties": {"primary": primary, "privateIPAddress": private,
                "publicIPAddress": {"id": format!("{NETWORK}/publicIPAddresses/{public}")}}})
        };
        let interface: Interface = read(json!({"properties": {"ipConfigurations": [
            one(false, "fd00::4", "six"), one(true, "10.0.0.4", "four"),
        ]}}));
        let configurations = configurations(vec![interface]);
        assert_eq!(names(&public_addresses(&configurations)), ["four", "six"]);
        let private = parsed(configurations.iter().map(|one| &one.private_address));
        let expected: [IpAddr; 2] = ["10.0.0.4".parse().unwrap(), "fd00::4".parse().unwrap()];
        assert_eq!(private, expected);
    }

    #[test]
    fn the_power_state_is_found_among_the_other_statuses() {
        let power = |codes: &[&str]| {
            let statuses: Vec<_> = codes.iter().map(|code| json!({"code": code})).collect();
            let vm: Vm = read(json!({"properties": {"instanceView": {"statuses": statuses}}}));
            vm.power()
        };
        let provisioned = "ProvisioningState/succeeded";
        assert_eq!(
            power(&[provisioned, "PowerState/running"]),
            PowerState::Running
        );
        assert_eq!(power(&[provisioned]), PowerState::Unknown);
    }
}
