//! ID tokens of Azure Pipelines.
//!
//! <https://learn.microsoft.com/rest/api/azure/devops/distributedtask/oidctoken/create>

use serde_json::json;

use super::{AZURE_PIPELINES, EXCHANGE_AUDIENCE, has_bearer, issuer};
use crate::http::{Reply, Request};
use crate::world::World;

/// The only service connection there is.
pub(super) const SERVICE_CONNECTION: &str = "5e7c1ce0-0000-4000-8000-000000000503";

/// `POST {SYSTEM_OIDCREQUESTURI}?api-version=7.1&serviceConnectionId=…`
pub(super) fn oidc_token(world: &World, request: &Request) -> Reply {
    if !has_bearer(request, &world.workload_secrets.system_access_token) {
        // People are sent to a sign-in page, unless a program says that it is none of them.
        return match request.header("x-tfs-fedauthredirect") {
            Some("Suppress") => Reply::json(401, &json!({"message": "TF400813: not authorized."})),
            _ => Reply::empty(302).with("Location", format!("{}/signin", world.addresses.cloud)),
        };
    }
    if request.query.value("api-version").is_none() {
        return Reply::json(400, &json!({"message": "No api-version was supplied."}));
    }
    if request.query.value("serviceConnectionId") != Some(SERVICE_CONNECTION) {
        return Reply::json(
            404,
            &json!({"message": "No service connection found with that identifier."}),
        );
    }
    let token = issuer::assertion(world, AZURE_PIPELINES, EXCHANGE_AUDIENCE, &json!({}));
    Reply::json(200, &json!({"oidcToken": token}))
}
