//! Lists: resource groups, and the resources in them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::error::ArmError;
use super::network;
use super::path::Path;
use super::resources;
use crate::http::{Reply, Request};
use crate::options::{MachineSpec, ResourceKind};
use crate::world::World;

/// Finds the machine that a path is about, and its place in the options.
pub(crate) fn machine<'a>(
    world: &'a World,
    path: &Path,
) -> Result<(usize, &'a MachineSpec), ArmError> {
    let id = path.resource_id();
    world
        .options
        .machines
        .iter()
        .enumerate()
        .find(|(_, machine)| machine.resource_id().eq_ignore_ascii_case(&id))
        .ok_or_else(|| {
            let parts = path.parts();
            ArmError::resource_not_found(&format!("{}/{}", parts[5], parts[6]), parts[7], parts[3])
        })
}

/// Refuses a resource group that does not exist.
pub(crate) fn check_group(world: &World, subscription: &str, group: &str) -> Result<(), ArmError> {
    if groups(world, subscription)
        .keys()
        .any(|known| known.eq_ignore_ascii_case(group))
    {
        return Ok(());
    }
    Err(ArmError::new(
        404,
        "ResourceGroupNotFound",
        format!("Resource group '{group}' could not be found."),
    ))
}

/// `GET /subscriptions/{s}/resourceGroups`
pub(crate) fn resource_groups(world: &World, subscription: &str) -> Reply {
    let value: Vec<Value> = groups(world, subscription)
        .into_iter()
        .map(|(name, location)| describe_group(subscription, name, location))
        .collect();
    Reply::json(200, &json!({"value": value}))
}

/// `GET /subscriptions/{s}/resourceGroups/{rg}`
pub(crate) fn resource_group(
    world: &World,
    subscription: &str,
    group: &str,
) -> Result<Reply, ArmError> {
    check_group(world, subscription, group)?;
    let found = groups(world, subscription)
        .into_iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(group));
    let (name, location) = found.unwrap_or((group, "westeurope"));
    Ok(Reply::json(
        200,
        &describe_group(subscription, name, location),
    ))
}

/// `GET /subscriptions/{s}[/resourceGroups/{rg}]/resources?$filter=…`
pub(crate) fn resources(
    world: &World,
    request: &Request,
    subscription: &str,
    group: Option<&str>,
) -> Result<Reply, ArmError> {
    if let Some(group) = group {
        check_group(world, subscription, group)?;
    }
    let filter = Filter::parse(request.query.value("$filter").unwrap_or_default())?;
    let value: Vec<Value> = machines(world, subscription, group)
        .flat_map(|(index, machine)| {
            let mut rows = vec![json!({
                "id": machine.resource_id(),
                "name": machine.name,
                "type": machine.kind.resource_type(),
                "location": machine.location,
                "tags": resources::tags(world, index, machine),
            })];
            if machine.kind == ResourceKind::Vm {
                rows.extend(network::rows(world, machine));
            }
            rows
        })
        .filter(|row| filter.matches(row))
        .collect();
    Ok(Reply::json(200, &json!({"value": value})))
}

/// `GET /subscriptions/{s}[/resourceGroups/{rg}]/providers/{namespace}/{type}`
pub(crate) fn list(
    world: &World,
    subscription: &str,
    group: Option<&str>,
    namespace: &str,
    kind: &str,
) -> Reply {
    let wanted = format!("{namespace}/{kind}");
    let machines = machines(world, subscription, group);
    let value: Vec<Value> = machines
        .flat_map(|(index, machine)| {
            let mut rows = vec![resources::describe(world, index, machine, false)];
            if machine.kind == ResourceKind::Vm {
                rows.extend(network::resources(world, machine));
            }
            rows
        })
        .filter(|row| {
            row["type"]
                .as_str()
                .is_some_and(|kind| kind.eq_ignore_ascii_case(&wanted))
        })
        .collect();
    Reply::json(200, &json!({"value": value}))
}

/// Returns the machines of a subscription or a group, with their places in the options.
fn machines<'a>(
    world: &'a World,
    subscription: &'a str,
    group: Option<&'a str>,
) -> impl Iterator<Item = (usize, &'a MachineSpec)> {
    let machines = world.options.machines.iter().enumerate();
    machines.filter(move |(_, machine)| {
        machine.subscription_id.eq_ignore_ascii_case(subscription)
            && group.is_none_or(|group| machine.resource_group.eq_ignore_ascii_case(group))
    })
}

fn groups<'a>(world: &'a World, subscription: &str) -> BTreeMap<&'a str, &'a str> {
    world
        .options
        .machines
        .iter()
        .filter(|machine| machine.subscription_id.eq_ignore_ascii_case(subscription))
        .map(|machine| (machine.resource_group.as_str(), machine.location.as_str()))
        .collect()
}

fn describe_group(subscription: &str, name: &str, location: &str) -> Value {
    json!({
        "id": format!("/subscriptions/{subscription}/resourceGroups/{name}"),
        "name": name,
        "type": "Microsoft.Resources/resourceGroups",
        "location": location,
        "properties": {"provisioningState": "Succeeded"},
    })
}

/// `name eq 'x' and resourceType eq 'y'`, the part of `OData` that is asked for.
#[derive(Debug, Default)]
struct Filter(Vec<(String, String)>);

impl Filter {
    fn parse(text: &str) -> Result<Self, ArmError> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        text.split(" and ")
            .map(|condition| {
                let (field, value) = condition.split_once(" eq ")?;
                let value = value.trim().strip_prefix('\'')?.strip_suffix('\'')?;
                let field = match field.trim().to_lowercase().as_str() {
                    "name" => "name",
                    "resourcetype" => "type",
                    "location" => "location",
                    "resourcegroup" => "resourceGroup",
                    _ => return None,
                };
                Some((field.to_owned(), value.replace("''", "'")))
            })
            .collect::<Option<Vec<_>>>()
            .map(Self)
            .ok_or_else(|| {
                ArmError::bad_request(
                    "InvalidFilterInQueryString",
                    format!("Invalid $filter '{text}' specified in the query string."),
                )
            })
    }

    fn matches(&self, row: &Value) -> bool {
        self.0.iter().all(|(field, value)| {
            let found = match field.as_str() {
                // A row of a list has its group in its ID alone.
                "resourceGroup" => row["id"].as_str().and_then(|id| id.split('/').nth(4)),
                field => row[field].as_str(),
            };
            found.is_some_and(|found| found.eq_ignore_ascii_case(value))
        })
    }
}
