//! Azure Resource Manager: subscriptions, machines, their network, and their way through the Relay.

pub(crate) mod access;
pub(crate) mod connectivity;
pub(crate) mod directory;
pub(crate) mod error;
pub(crate) mod graph;
pub(crate) mod inventory;
pub(crate) mod metadata;
pub(crate) mod network;
pub(crate) mod path;
pub(crate) mod provider;
pub(crate) mod query;
pub(crate) mod resources;
pub(crate) mod run_command;

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use hyper::Method;
use serde_json::Value;

use crate::fault::Fault;
use crate::http::{Reply, Request};
use crate::options::{Connectivity, MachineSpec, Network, Options};
use crate::world::{World, lock};
use access::Caller;
use error::ArmError;
use path::Path;

/// What ARM remembers.
#[derive(Default)]
pub(crate) struct ArmState {
    /// Resource IDs, in lower case, of machines with an endpoint.
    endpoints: HashSet<String>,
    /// How VMs are connected, by resource ID in lower case.
    networks: HashMap<String, Network>,
    /// The port of the service configuration, by resource ID in lower case.
    ports: HashMap<String, u16>,
    /// When the provider's registration began, by subscription.
    registrations: HashMap<String, Instant>,
    /// Run commands of Arc machines, by resource ID in lower case.
    run_commands: HashMap<String, Value>,
}

impl ArmState {
    /// Returns what is there before anybody asked for anything.
    pub(crate) fn new(options: &Options) -> Self {
        let set_up = options
            .machines
            .iter()
            .filter(|machine| machine.connectivity != Connectivity::Absent)
            .map(|machine| machine.resource_id().to_lowercase());
        let networks = options.machines.iter().map(|machine| {
            (
                machine.resource_id().to_lowercase(),
                machine.network.clone(),
            )
        });
        let mut state = Self {
            networks: networks.collect(),
            ..Self::default()
        };
        for id in set_up {
            state.endpoints.insert(id.clone());
            state.ports.insert(id, connectivity::DEFAULT_PORT);
        }
        state
    }
}

/// Returns the port of a machine's service configuration.
pub(crate) fn configured_port(world: &World, resource_id: &str) -> Option<u16> {
    lock(&world.arm)
        .ports
        .get(&resource_id.to_lowercase())
        .copied()
}

/// Returns how a VM is connected.
pub(crate) fn network_of(world: &World, machine: &MachineSpec) -> Network {
    let id = machine.resource_id().to_lowercase();
    let known = lock(&world.arm).networks.get(&id).cloned();
    known.unwrap_or_default()
}

/// Connects a VM otherwise.
pub(crate) fn set_network(world: &World, machine: &MachineSpec, network: Network) {
    let id = machine.resource_id().to_lowercase();
    lock(&world.arm).networks.insert(id, network);
}

/// Returns whether a path is ARM's, and not the authority's.
pub(crate) fn owns(request: &Request) -> bool {
    request.segments.first().is_some_and(|first| {
        ["metadata", "providers", "subscriptions", "tenants"]
            .iter()
            .any(|own| own.eq_ignore_ascii_case(first))
    })
}

/// Answers a request to ARM.
pub(crate) fn answer(world: &World, request: &Request) -> Reply {
    route(world, request)
        .unwrap_or_else(ArmError::reply)
        .with("x-ms-request-id", uuid::Uuid::new_v4().to_string())
}

fn route(world: &World, request: &Request) -> Result<Reply, ArmError> {
    if let Some(refusal) = take_fault(world, request) {
        return Err(refusal);
    }
    let path = Path::new(&request.segments);
    let parts = path.parts();
    if parts.as_slice() == ["metadata", "endpoints"] {
        return Ok(metadata::endpoints(world, request));
    }
    if request.query.value("api-version").is_none() {
        return Err(ArmError::bad_request(
            "MissingApiVersionParameter",
            "The api-version query parameter (?api-version=) is required for all requests.",
        ));
    }
    let caller = Caller::authenticate(world, request)?;
    match (&request.method, parts.as_slice()) {
        (&Method::GET, ["tenants"]) => Ok(directory::tenants(world, &caller)),
        (&Method::GET, ["subscriptions"]) => Ok(directory::subscriptions(world, &caller)),
        (&Method::POST, ["providers", "microsoft.resourcegraph", "resources"]) => {
            graph::resources(world, request, &caller)
        }
        (_, ["subscriptions", subscription, ..]) => {
            caller.enter(world, subscription)?;
            in_subscription(world, request, &path, &caller)
        }
        _ => Err(ArmError::not_found_path(request)),
    }
}

fn in_subscription(
    world: &World,
    request: &Request,
    path: &Path,
    caller: &Caller<'_>,
) -> Result<Reply, ArmError> {
    let parts = path.parts();
    let get = request.method == Method::GET;
    let post = request.method == Method::POST;
    let put = request.method == Method::PUT;
    match &parts.as_slice()[2..] {
        [] if get => directory::subscription(world, parts[1]),
        [.., "providers", "microsoft.authorization", "permissions"] if get => {
            Ok(access::permissions(caller))
        }
        ["providers", name] if get => provider::show(world, parts[1], name),
        ["providers", namespace, kind] if get => {
            Ok(inventory::list(world, parts[1], None, namespace, kind))
        }
        ["providers", name, "register"] if post => provider::register(world, parts[1], name),
        ["resources"] if get => inventory::resources(world, request, parts[1], None),
        ["resourcegroups"] if get => Ok(inventory::resource_groups(world, parts[1])),
        ["resourcegroups", group] if get => inventory::resource_group(world, parts[1], group),
        ["resourcegroups", group, "resources"] if get => {
            inventory::resources(world, request, parts[1], Some(group))
        }
        [
            "resourcegroups",
            group,
            "providers",
            "microsoft.network",
            kind,
            name,
        ] if get => network::show(world, parts[1], group, kind, name),
        ["resourcegroups", group, "providers", namespace, kind] if get => {
            inventory::check_group(world, parts[1], group)?;
            Ok(inventory::list(
                world,
                parts[1],
                Some(group),
                namespace,
                kind,
            ))
        }
        ["resourcegroups", group, "providers", _, _, _, rest @ ..] => {
            inventory::check_group(world, parts[1], group)?;
            let (index, machine) = inventory::machine(world, path)?;
            match rest {
                [] if get => Ok(resources::show(world, request, index, machine)),
                ["extensions"] if get => Ok(resources::extensions(machine)),
                ["runcommand"] if post => run_command::on_vm(world, request, index, caller),
                ["runcommands", name] if put || get => {
                    run_command::on_arc(world, request, index, machine, name, caller)
                }
                [
                    "providers",
                    "microsoft.hybridconnectivity",
                    "endpoints",
                    rest @ ..,
                ] => connectivity::answer(world, request, index, machine, rest, caller),
                _ => Err(ArmError::not_found_path(request)),
            }
        }
        _ => Err(ArmError::not_found_path(request)),
    }
}

fn take_fault(world: &World, request: &Request) -> Option<ArmError> {
    let asked = request.path.to_lowercase();
    let fault = world.faults.take(|fault| match fault {
        Fault::Arm { path, method, .. } => {
            asked.contains(&path.to_lowercase())
                && method
                    .as_ref()
                    .is_none_or(|method| method.eq_ignore_ascii_case(request.method.as_str()))
        }
        _ => false,
    })?;
    let Fault::Arm {
        status,
        code,
        message,
        retry_after,
        ..
    } = fault
    else {
        return None;
    };
    let mut refusal = ArmError::new(status, &code, message);
    if let Some(seconds) = retry_after {
        refusal = refusal.with("Retry-After", seconds.to_string());
    }
    Some(refusal)
}
