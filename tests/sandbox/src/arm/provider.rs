//! Registration of resource providers.

use serde_json::json;
use std::time::Instant;

use super::access::owner;
use super::error::ArmError;
use crate::http::Reply;
use crate::world::{World, lock};

/// The provider whose registration people forget.
pub(crate) const HYBRID_CONNECTIVITY: &str = "Microsoft.HybridConnectivity";

/// The providers that are always there.
const REGISTERED: [&str; 8] = [
    "Microsoft.Authorization",
    "Microsoft.AzureStackHCI",
    "Microsoft.Compute",
    "Microsoft.ConnectedVMwarevSphere",
    "Microsoft.HybridCompute",
    "Microsoft.Network",
    "Microsoft.ResourceGraph",
    "Microsoft.ScVmm",
];

/// `GET /subscriptions/{s}/providers/{name}`
pub(crate) fn show(world: &World, subscription: &str, name: &str) -> Result<Reply, ArmError> {
    let (name, state) = if name.eq_ignore_ascii_case(HYBRID_CONNECTIVITY) {
        (HYBRID_CONNECTIVITY, registration_state(world, subscription))
    } else {
        let known = REGISTERED
            .iter()
            .find(|known| known.eq_ignore_ascii_case(name));
        let known = known.ok_or_else(|| {
            ArmError::new(
                404,
                "InvalidResourceNamespace",
                format!("The resource namespace '{name}' is invalid."),
            )
        })?;
        (*known, "Registered")
    };
    Ok(Reply::json(
        200,
        &json!({
            "id": format!("/subscriptions/{subscription}/providers/{name}"),
            "namespace": name,
            "registrationPolicy": "RegistrationRequired",
            "registrationState": state,
            "resourceTypes": [],
        }),
    ))
}

/// `POST /subscriptions/{s}/providers/{name}/register`
pub(crate) fn register(world: &World, subscription: &str, name: &str) -> Result<Reply, ArmError> {
    if name.eq_ignore_ascii_case(HYBRID_CONNECTIVITY)
        && registration_state(world, subscription) == "NotRegistered"
    {
        lock(&world.arm)
            .registrations
            .insert(subscription.to_lowercase(), Instant::now());
    }
    show(world, subscription, name)
}

/// Refuses what needs the provider while it is not registered.
pub(crate) fn check(world: &World, subscription: &str) -> Result<(), ArmError> {
    if registration_state(world, subscription) == "Registered" {
        return Ok(());
    }
    Err(ArmError::new(
        409,
        "MissingSubscriptionRegistration",
        format!(
            "The subscription is not registered to use namespace '{HYBRID_CONNECTIVITY}'. See \
             https://aka.ms/rps-not-found for how to register subscriptions."
        ),
    ))
}

fn registration_state(world: &World, subscription: &str) -> &'static str {
    if owner(world, subscription).is_some_and(|tenant| tenant.provider_registered) {
        return "Registered";
    }
    let state = lock(&world.arm);
    match state.registrations.get(&subscription.to_lowercase()) {
        None => "NotRegistered",
        Some(began) if began.elapsed() < world.options.registration_time => "Registering",
        Some(_) => "Registered",
    }
}
