//! What stands between a client and Entra or ARM when the network is not as it should be: a captive
//! portal, a gateway that is overloaded, a reply without end, a clock that is off.

use serde_json::json;

use crate::clock::{http_date, unix_now};
use crate::entra::page;
use crate::fault::Fault;
use crate::http::{Reply, Request};
use crate::world::World;

/// Returns the answer that comes instead of the service's own, if one is asked for.
pub(crate) fn intercept(world: &World, request: &Request) -> Option<Reply> {
    let asked = request.path.to_lowercase();
    let fault = world.faults.take(|fault| match fault {
        Fault::CaptivePortal { path }
        | Fault::Gateway { path, .. }
        | Fault::Oversized { path, .. } => asked.contains(&path.to_lowercase()),
        _ => false,
    })?;
    match fault {
        Fault::CaptivePortal { .. } => Some(page::message(
            200,
            "Welcome to Hotel Fabrikam",
            "Accept the terms of use to go online.",
        )),
        Fault::Gateway {
            status,
            retry_after,
            ..
        } => {
            let reply = page::message(
                status,
                "Our services aren't available right now",
                "We're working to restore all services as soon as possible. Please check back soon.",
            );
            Some(match retry_after {
                Some(seconds) => reply.with("Retry-After", seconds.to_string()),
                None => reply,
            })
        }
        Fault::Oversized { bytes, .. } => {
            Some(Reply::json(200, &json!({"padding": "a".repeat(bytes)})))
        }
        _ => None,
    }
}

/// Dates a reply by the cloud's clock, which may be off.
pub(crate) fn date(world: &World, reply: Reply) -> Reply {
    match world
        .faults
        .standing(|fault| matches!(fault, Fault::Clock { .. }))
    {
        Some(Fault::Clock { offset_seconds, .. }) => reply.with(
            "Date",
            http_date(unix_now().saturating_add_signed(offset_seconds)),
        ),
        _ => reply,
    }
}
