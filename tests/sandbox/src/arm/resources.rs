//! The machines as ARM describes them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::network;
use crate::clock::{rfc3339, unix_now};
use crate::encoding::{hex, sha256};
use crate::http::{Reply, Request};
use crate::options::{MachineSpec, ResourceKind};
use crate::world::World;

/// The extension that lets people log in.
const LOGIN_EXTENSION: &str = "AADSSHLoginForLinux";
/// The tag that says where a VM's SSH server listens, as it cannot be port 22.
const PORT_TAG: &str = "ssh-port";

/// `GET` of a machine
pub(crate) fn show(world: &World, request: &Request, index: usize, machine: &MachineSpec) -> Reply {
    let expand = request
        .query
        .value("$expand")
        .is_some_and(|what| what.eq_ignore_ascii_case("instanceView"));
    Reply::json(200, &describe(world, index, machine, expand))
}

/// `GET {machine}/extensions`
pub(crate) fn extensions(machine: &MachineSpec) -> Reply {
    Reply::json(200, &json!({"value": [extension(machine)]}))
}

/// Returns a machine with all its properties.
pub(crate) fn describe(world: &World, index: usize, machine: &MachineSpec, expand: bool) -> Value {
    let mut body = json!({
        "id": machine.resource_id(),
        "name": machine.name,
        "type": machine.kind.resource_type(),
        "location": machine.location,
        "tags": tags(world, index, machine),
        "identity": {
            "type": "SystemAssigned",
            "principalId": unique_id(machine, "principal"),
            "tenantId": tenant(world, machine),
        },
        "properties": properties(world, machine),
    });
    if expand && machine.kind == ResourceKind::Vm {
        body["properties"]["instanceView"] =
            instance_view(&super::network_of(world, machine).power_state);
        body["resources"] = json!([extension(machine)]);
    }
    body
}

/// Returns the tags, and where a VM listens.
pub(crate) fn tags(world: &World, index: usize, machine: &MachineSpec) -> BTreeMap<String, String> {
    let mut tags = machine.tags.clone();
    if machine.kind == ResourceKind::Vm
        && let Some(address) = world.agents.machine_address(index)
    {
        tags.insert(PORT_TAG.to_owned(), address.port().to_string());
    }
    tags
}

/// Returns the tenant of a machine's subscription.
pub(crate) fn tenant<'a>(world: &'a World, machine: &MachineSpec) -> &'a str {
    super::access::owner(world, &machine.subscription_id).map_or("", |tenant| &tenant.id)
}

fn properties(world: &World, machine: &MachineSpec) -> Value {
    let windows = machine.os_type.eq_ignore_ascii_case("windows");
    let os_type = if windows { "Windows" } else { "Linux" };
    match machine.kind {
        ResourceKind::Vm => json!({
            "provisioningState": "Succeeded",
            "vmId": unique_id(machine, "vm"),
            "hardwareProfile": {"vmSize": "Standard_B1s"},
            "storageProfile": {"osDisk": {"osType": os_type, "createOption": "FromImage"}},
            "osProfile": {"computerName": machine.name, "adminUsername": "azureuser"},
            "networkProfile": {"networkInterfaces": network::references(world, machine)},
        }),
        ResourceKind::Vmware => json!({
            "provisioningState": "Succeeded",
            "osProfile": {"osType": os_type, "computerName": machine.name},
            "guestAgentProfile": {
                "agentVersion": machine.agent_version,
                "status": "Connected",
                "vmUuid": unique_id(machine, "vm"),
            },
            "powerState": "poweredOn",
        }),
        ResourceKind::Arc | ResourceKind::AzureLocal | ResourceKind::Scvmm => json!({
            "provisioningState": "Succeeded",
            "agentVersion": machine.agent_version,
            "displayName": machine.name,
            "dnsFqdn": format!("{}.example", machine.name),
            "lastStatusChange": rfc3339(unix_now()),
            "machineFqdn": format!("{}.example", machine.name),
            "osName": os_type.to_lowercase(),
            "osSku": if windows { "Windows Server 2022" } else { "Ubuntu 24.04" },
            "osType": os_type.to_lowercase(),
            "osVersion": "1.0",
            "status": "Connected",
            "vmId": unique_id(machine, "vm"),
        }),
    }
}

fn instance_view(power_state: &str) -> Value {
    json!({
        "statuses": [
            {"code": "ProvisioningState/succeeded", "level": "Info",
             "displayStatus": "Provisioning succeeded"},
            {"code": format!("PowerState/{power_state}"), "level": "Info",
             "displayStatus": format!("VM {power_state}")},
        ],
        "vmAgent": {"vmAgentVersion": "2.11.1.4", "statuses": [
            {"code": "ProvisioningState/succeeded", "level": "Info", "displayStatus": "Ready"},
        ]},
        "extensions": [{
            "name": LOGIN_EXTENSION,
            "type": format!("Microsoft.Azure.ActiveDirectory.{LOGIN_EXTENSION}"),
            "typeHandlerVersion": "1.0.2928.1",
            "statuses": [{"code": "ProvisioningState/succeeded", "level": "Info",
                          "displayStatus": "Provisioning succeeded"}],
        }],
    })
}

fn extension(machine: &MachineSpec) -> Value {
    json!({
        "id": format!("{}/extensions/{LOGIN_EXTENSION}", machine.resource_id()),
        "name": LOGIN_EXTENSION,
        "type": format!("{}/extensions", machine.kind.resource_type()),
        "location": machine.location,
        "properties": {
            "publisher": "Microsoft.Azure.ActiveDirectory",
            "type": LOGIN_EXTENSION,
            "typeHandlerVersion": "1.0.2928.1",
            "autoUpgradeMinorVersion": true,
            "provisioningState": "Succeeded",
        },
    })
}

/// Returns the same UUID for the same machine at every start.
fn unique_id(machine: &MachineSpec, purpose: &str) -> String {
    let digest = sha256(format!("{purpose} {}", machine.resource_id()).as_bytes());
    let digits = hex(&digest[..16]);
    format!(
        "{}-{}-4{}-8{}-{}",
        &digits[..8],
        &digits[8..12],
        &digits[13..16],
        &digits[17..20],
        &digits[20..]
    )
}
