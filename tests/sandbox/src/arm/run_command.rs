//! Commands that ARM runs on machines.
//!
//! The sandbox runs nothing: a script that reads host keys gets the machine's, any other prints
//! nothing and succeeds.

use hyper::Method;
use serde_json::{Value, json};

use super::access::Caller;
use super::error::ArmError;
use crate::clock::{rfc3339, unix_now};
use crate::http::{Reply, Request};
use crate::options::{MachineSpec, ResourceKind};
use crate::world::{World, lock};

/// `POST {vm}/runCommand`
pub(crate) fn on_vm(
    world: &World,
    request: &Request,
    index: usize,
    caller: &Caller<'_>,
) -> Result<Reply, ArmError> {
    caller.may(
        "Microsoft.Compute/virtualMachines/runCommand/action",
        &request.path,
    )?;
    let body = body(request)?;
    let script: Vec<&str> = body["script"]
        .as_array()
        .map(|lines| lines.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    let output = output(world, index, &script.join("\n"));
    Ok(Reply::json(
        200,
        &json!({"value": [{
            "code": "ProvisioningState/succeeded",
            "level": "Info",
            "displayStatus": "Provisioning succeeded",
            "message": format!("Enable succeeded: \n[stdout]\n{output}\n[stderr]\n"),
        }]}),
    ))
}

/// `PUT` and `GET {machine}/runCommands/{name}`
pub(crate) fn on_arc(
    world: &World,
    request: &Request,
    index: usize,
    machine: &MachineSpec,
    name: &str,
    caller: &Caller<'_>,
) -> Result<Reply, ArmError> {
    let id = format!("{}/runCommands/{name}", machine.resource_id());
    if request.method == Method::GET {
        return lock(&world.arm)
            .run_commands
            .get(&id.to_lowercase())
            .map(|command| Reply::json(200, command))
            .ok_or_else(|| {
                let kind = format!("{}/{}", machine.kind.resource_type(), machine.name);
                ArmError::resource_not_found(
                    &kind,
                    &format!("runCommands/{name}"),
                    &machine.resource_group,
                )
            });
    }
    if machine.kind == ResourceKind::Vm {
        return Err(ArmError::not_found_path(request));
    }
    caller.may("Microsoft.HybridCompute/machines/runCommands/write", &id)?;
    let body = body(request)?;
    let script = body["properties"]["source"]["script"]
        .as_str()
        .unwrap_or_default();
    let now = rfc3339(unix_now());
    let command = json!({
        "id": id,
        "name": name,
        "type": "Microsoft.HybridCompute/machines/runCommands",
        "location": machine.location,
        "properties": {
            "source": body["properties"]["source"],
            "asyncExecution": false,
            "provisioningState": "Succeeded",
            "instanceView": {
                "executionState": "Succeeded",
                "executionMessage": "",
                "exitCode": 0,
                "output": output(world, index, script),
                "error": "",
                "startTime": now,
                "endTime": now,
                "statuses": [],
            },
        },
    });
    lock(&world.arm)
        .run_commands
        .insert(id.to_lowercase(), command.clone());
    Ok(Reply::json(201, &command))
}

fn body(request: &Request) -> Result<Value, ArmError> {
    request.json().map_err(|error| {
        ArmError::bad_request(
            "InvalidRequestContent",
            format!("The request content was invalid and could not be deserialized: '{error}'."),
        )
    })
}

fn output(world: &World, index: usize, script: &str) -> String {
    let host_keys = ["ssh_host_", "ssh-keyscan", "HostKey"]
        .iter()
        .any(|word| script.contains(word));
    if host_keys {
        format!(
            "{}\n",
            world.agents.host_key(index).unwrap_or_default().trim_end()
        )
    } else {
        String::new()
    }
}
