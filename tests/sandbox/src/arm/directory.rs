//! Tenants and subscriptions.

use serde_json::{Value, json};

use super::access::{Caller, owner};
use super::error::ArmError;
use crate::http::Reply;
use crate::options::Tenant;
use crate::world::World;

/// `GET /tenants`: those that know the caller.
pub(crate) fn tenants(world: &World, caller: &Caller<'_>) -> Reply {
    let value: Vec<Value> = world
        .options
        .tenants
        .iter()
        .filter(|tenant| match caller.user {
            Some(user) => user.membership(&tenant.id).is_some(),
            None => tenant.id == caller.tenant.id,
        })
        .map(|tenant| {
            json!({
                "id": format!("/tenants/{}", tenant.id),
                "tenantId": tenant.id,
                "countryCode": "US",
                "displayName": tenant.display_name,
                "domains": [tenant.domain],
                "defaultDomain": tenant.domain,
                "tenantCategory": "Home",
                "tenantType": "AAD",
            })
        })
        .collect();
    Reply::json(200, &json!({"value": value}))
}

/// `GET /subscriptions`: those of the token's tenant.
pub(crate) fn subscriptions(world: &World, caller: &Caller<'_>) -> Reply {
    let value: Vec<Value> = world
        .options
        .tenants
        .iter()
        .filter(|tenant| tenant.id == caller.tenant.id)
        .map(describe)
        .collect();
    let count = value.len();
    Reply::json(
        200,
        &json!({"value": value, "count": {"type": "Total", "value": count}}),
    )
}

/// `GET /subscriptions/{s}`
pub(crate) fn subscription(world: &World, id: &str) -> Result<Reply, ArmError> {
    owner(world, id)
        .map(|tenant| Reply::json(200, &describe(tenant)))
        .ok_or_else(|| {
            ArmError::new(
                404,
                "SubscriptionNotFound",
                format!("The subscription '{id}' could not be found."),
            )
        })
}

fn describe(tenant: &Tenant) -> Value {
    json!({
        "id": format!("/subscriptions/{}", tenant.subscription_id),
        "authorizationSource": "RoleBased",
        "managedByTenants": [],
        "subscriptionId": tenant.subscription_id,
        "tenantId": tenant.id,
        "displayName": tenant.subscription_name,
        "state": "Enabled",
        "subscriptionPolicies": {
            "locationPlacementId": "Public_2014-09-01",
            "quotaId": "PayAsYouGo_2014-09-01",
            "spendingLimit": "Off",
        },
    })
}
