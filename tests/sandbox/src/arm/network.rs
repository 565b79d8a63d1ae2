//! The network of VMs: at most one interface with one private and one public address each.

use serde_json::{Value, json};

use super::error::ArmError;
use super::inventory;
use crate::http::Reply;
use crate::options::{MachineSpec, Network, PublicAddress, ResourceKind};
use crate::world::World;

/// Returns the interfaces as the VM lists them.
pub(crate) fn references(world: &World, machine: &MachineSpec) -> Vec<Value> {
    let has_interface = super::network_of(world, machine).private.is_some();
    let reference = json!({"id": interface_id(machine), "properties": {"primary": true}});
    has_interface.then_some(reference).into_iter().collect()
}

/// Returns the interface and the address, as far as there are any.
pub(crate) fn resources(world: &World, machine: &MachineSpec) -> Vec<Value> {
    let network = super::network_of(world, machine);
    let parts = [
        interface(machine, &network),
        public_address(machine, &network),
    ];
    parts.into_iter().flatten().collect()
}

/// Returns the interface and the address as lists of resources have them.
pub(crate) fn rows(world: &World, machine: &MachineSpec) -> Vec<Value> {
    resources(world, machine)
        .into_iter()
        .map(|mut row| {
            if let Some(fields) = row.as_object_mut() {
                fields.remove("properties");
            }
            row
        })
        .collect()
}

/// `GET …/Microsoft.Network/networkInterfaces/{n}` and `…/publicIPAddresses/{n}`
pub(crate) fn show(
    world: &World,
    subscription: &str,
    group: &str,
    kind: &str,
    name: &str,
) -> Result<Reply, ArmError> {
    inventory::check_group(world, subscription, group)?;
    world
        .options
        .machines
        .iter()
        .filter(|machine| {
            machine.kind == ResourceKind::Vm
                && machine.subscription_id.eq_ignore_ascii_case(subscription)
                && machine.resource_group.eq_ignore_ascii_case(group)
        })
        .flat_map(|machine| resources(world, machine))
        .find(|resource| {
            let is = |field: &str, expected: &str| {
                let found = resource[field].as_str();
                found.is_some_and(|found| found.eq_ignore_ascii_case(expected))
            };
            is("name", name) && is("type", &format!("Microsoft.Network/{kind}"))
        })
        .map(|body| Reply::json(200, &body))
        .ok_or_else(|| {
            ArmError::resource_not_found(&format!("Microsoft.Network/{kind}"), name, group)
        })
}

fn interface(machine: &MachineSpec, network: &Network) -> Option<Value> {
    let mut properties = json!({
        "primary": true,
        "privateIPAddress": network.private?,
        "privateIPAddressVersion": "IPv4",
        "privateIPAllocationMethod": "Dynamic",
    });
    if network.public != PublicAddress::Absent {
        let address = id(machine, "publicIPAddresses", &public_name(machine));
        properties["publicIPAddress"] = json!({"id": address});
    }
    Some(json!({
        "id": interface_id(machine),
        "name": interface_name(machine),
        "type": "Microsoft.Network/networkInterfaces",
        "location": machine.location,
        "properties": {
            "provisioningState": "Succeeded",
            "primary": true,
            "virtualMachine": {"id": machine.resource_id()},
            "ipConfigurations": [{
                "id": format!("{}/ipConfigurations/primary", interface_id(machine)),
                "name": "primary",
                "properties": properties,
            }],
        },
    }))
}

fn public_address(machine: &MachineSpec, network: &Network) -> Option<Value> {
    let mut properties = json!({
        "provisioningState": "Succeeded",
        "publicIPAddressVersion": "IPv4",
        "publicIPAllocationMethod": "Dynamic",
    });
    match network.public {
        PublicAddress::Absent => return None,
        PublicAddress::Is(address) => properties["ipAddress"] = json!(address),
        PublicAddress::Unassigned => {}
    }
    let name = public_name(machine);
    Some(json!({
        "id": id(machine, "publicIPAddresses", &name),
        "name": name,
        "type": "Microsoft.Network/publicIPAddresses",
        "location": machine.location,
        "properties": properties,
    }))
}

fn interface_id(machine: &MachineSpec) -> String {
    id(machine, "networkInterfaces", &interface_name(machine))
}

fn interface_name(machine: &MachineSpec) -> String {
    format!("{}-nic", machine.name)
}

fn public_name(machine: &MachineSpec) -> String {
    format!("{}-ip", machine.name)
}

fn id(machine: &MachineSpec, kind: &str, name: &str) -> String {
    format!(
        "/subscriptions/{}/resourceGroups/{}/providers/Microsoft.Network/{kind}/{name}",
        machine.subscription_id, machine.resource_group
    )
}
