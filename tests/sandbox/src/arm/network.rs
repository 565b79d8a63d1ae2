//! The network of VMs: one interface, one private and one public address each.

use serde_json::{Value, json};

use super::error::ArmError;
use super::inventory;
use crate::http::Reply;
use crate::options::{MachineSpec, ResourceKind};
use crate::world::World;

/// The address of every VM: its machine is on this host.
const ADDRESS: &str = "127.0.0.1";

/// Returns the ID of a VM's interface.
pub(crate) fn interface_id(machine: &MachineSpec) -> String {
    id(machine, "networkInterfaces", &interface_name(machine))
}

/// Returns the interface and the address.
pub(crate) fn resources(machine: &MachineSpec) -> [Value; 2] {
    [interface(machine), public_address(machine)]
}

/// Returns the interface and the address as lists of resources have them.
pub(crate) fn rows(machine: &MachineSpec) -> Vec<Value> {
    resources(machine)
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
        .find_map(|machine| match kind {
            "networkinterfaces" if interface_name(machine).eq_ignore_ascii_case(name) => {
                Some(interface(machine))
            }
            "publicipaddresses" if public_name(machine).eq_ignore_ascii_case(name) => {
                Some(public_address(machine))
            }
            _ => None,
        })
        .map(|body| Reply::json(200, &body))
        .ok_or_else(|| {
            ArmError::resource_not_found(&format!("Microsoft.Network/{kind}"), name, group)
        })
}

fn interface(machine: &MachineSpec) -> Value {
    json!({
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
                "properties": {
                    "primary": true,
                    "privateIPAddress": ADDRESS,
                    "privateIPAddressVersion": "IPv4",
                    "privateIPAllocationMethod": "Dynamic",
                    "publicIPAddress": {
                        "id": id(machine, "publicIPAddresses", &public_name(machine)),
                    },
                },
            }],
        },
    })
}

fn public_address(machine: &MachineSpec) -> Value {
    let name = public_name(machine);
    json!({
        "id": id(machine, "publicIPAddresses", &name),
        "name": name,
        "type": "Microsoft.Network/publicIPAddresses",
        "location": machine.location,
        "properties": {
            "provisioningState": "Succeeded",
            "ipAddress": ADDRESS,
            "publicIPAddressVersion": "IPv4",
            "publicIPAllocationMethod": "Static",
        },
    })
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
