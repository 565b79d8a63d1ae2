//! Azure Resource Graph: `POST /providers/Microsoft.ResourceGraph/resources`.

use serde_json::{Value, json};

use super::access::Caller;
use super::error::ArmError;
use super::query::Query;
use super::resources::{describe, tenant};
use crate::encoding::{base64url, decode_base64url};
use crate::http::{Reply, Request};
use crate::options::MachineSpec;
use crate::world::World;

/// Rows on a page, at most and where nobody says.
const MAX_ROWS: usize = 1_000;
const DEFAULT_ROWS: usize = 100;

pub(crate) fn resources(
    world: &World,
    request: &Request,
    caller: &Caller<'_>,
) -> Result<Reply, ArmError> {
    let body = request
        .json()
        .map_err(|error| bad_request(&format!("the body is not JSON: {error}")))?;
    let query = body["query"]
        .as_str()
        .ok_or_else(|| bad_request("the field `query` is missing"))?;
    let query = Query::parse(query)
        .map_err(|what| bad_request(&format!("the query is not understood at {what}")))?;
    let rows = query.run(visible(world, caller, &body["subscriptions"])?);
    let (start, end) = page(&body["options"], rows.len())?;
    let data = &rows[start..end];
    let mut answer = json!({
        "totalRecords": rows.len(),
        "count": data.len(),
        "data": data,
        "facets": [],
        "resultTruncated": "false",
    });
    if end < rows.len() {
        answer["$skipToken"] = json!(base64url(end.to_string()));
    }
    Ok(Reply::json(200, &answer))
}

/// Returns the machines of the subscriptions that were asked for, as far as the caller sees them.
fn visible(
    world: &World,
    caller: &Caller<'_>,
    subscriptions: &Value,
) -> Result<Vec<Value>, ArmError> {
    let own = &caller.tenant.subscription_id;
    let asked: Option<Vec<&str>> = subscriptions
        .as_array()
        .map(|ids| ids.iter().filter_map(Value::as_str).collect());
    if let Some(asked) = &asked
        && !asked.iter().any(|id| id.eq_ignore_ascii_case(own))
    {
        return Err(bad_request(&format!(
            "none of the subscriptions {asked:?} is one that the caller may read"
        )));
    }
    let machines = world.options.machines.iter().enumerate();
    Ok(machines
        .filter(|(_, machine)| machine.subscription_id.eq_ignore_ascii_case(own))
        .map(|(index, machine)| row(world, index, machine))
        .collect())
}

fn row(world: &World, index: usize, machine: &MachineSpec) -> Value {
    let mut row = describe(world, index, machine, false);
    row["type"] = json!(machine.kind.resource_type().to_lowercase());
    row["resourceGroup"] = json!(machine.resource_group);
    row["subscriptionId"] = json!(machine.subscription_id);
    row["tenantId"] = json!(tenant(world, machine));
    row["kind"] = json!("");
    row
}

/// Returns where the page begins and ends.
fn page(options: &Value, count: usize) -> Result<(usize, usize), ArmError> {
    let top = match &options["$top"] {
        Value::Null => DEFAULT_ROWS,
        top => top
            .as_u64()
            .and_then(|top| usize::try_from(top).ok())
            .filter(|top| (1..=MAX_ROWS).contains(top))
            .ok_or_else(|| bad_request(&format!("`$top` is {top}, not 1 to {MAX_ROWS}")))?,
    };
    let start = match &options["$skipToken"] {
        Value::Null => 0,
        token => token
            .as_str()
            .and_then(decode_base64url)
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| bad_request(&format!("`$skipToken` {token} is not one of ours")))?,
    };
    let start = start.min(count);
    Ok((start, (start + top).min(count)))
}

fn bad_request(what: &str) -> ArmError {
    ArmError::bad_request("BadRequest", format!("Please provide valid input: {what}."))
}
