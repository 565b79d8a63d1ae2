//! Managed identities, which get bearer tokens whatever token type they ask for, and Cloud Shell, which
//! gives the user who is signed in to it SSH certificates as well.
//!
//! <https://learn.microsoft.com/azure/app-service/overview-managed-identity#rest-endpoint-reference>
//! <https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token>

use hyper::Method;
use serde_json::{Value, json};

use crate::clock::unix_now;
use crate::entra::AZURE_CLI;
use crate::entra::issue::{self, Identity};
use crate::entra::scope::Scope;
use crate::http::{Fields, Reply, Request};
use crate::world::World;

/// How a query names one of several identities.
const IDENTITY_FIELDS: [&str; 5] = [
    "client_id",
    "object_id",
    "principal_id",
    "mi_res_id",
    "msi_res_id",
];

/// Answers a request to one of the services that are reached without TLS.
pub(crate) fn answer(world: &World, request: &Request) -> Reply {
    match (&request.method, request.path.as_str()) {
        (&Method::GET, "/msi/token") => app_service(world, request),
        (&Method::GET, "/metadata/identity/oauth2/token") => virtual_machine(world, request),
        (&Method::POST, "/oauth2/token") => cloud_shell(world, request),
        _ => Reply::text(404, "not found"),
    }
}

fn app_service(world: &World, request: &Request) -> Reply {
    let refuse = |status: u16, message: &str| {
        Reply::json(status, &json!({"statusCode": status, "message": message}))
    };
    let secret = &world.workload_secrets.identity_header;
    if request.header("x-identity-header") != Some(secret) {
        return refuse(401, "The X-IDENTITY-HEADER is missing or not right.");
    }
    if request.query.value("api-version") != Some("2019-08-01") {
        return refuse(400, "The api-version is missing or not known.");
    }
    match token(world, &request.query) {
        Ok(mut token) => {
            token["client_id"] = json!(world.options.managed_identity.client_id);
            Reply::json(200, &token)
        }
        Err(why) => refuse(400, &why),
    }
}

fn virtual_machine(world: &World, request: &Request) -> Reply {
    if !asks_for_metadata(request) {
        return invalid_request("Required metadata header not specified");
    }
    if request.query.value("api-version").is_none() {
        return invalid_request("Required query variable 'api-version' is missing");
    }
    match token(world, &request.query) {
        Ok(mut token) => {
            let lifetime = world.options.bearer_lifetime.as_secs().to_string();
            token["client_id"] = json!(world.options.managed_identity.client_id);
            token["expires_in"] = json!(lifetime);
            token["ext_expires_in"] = json!(lifetime);
            token["not_before"] = json!(unix_now().to_string());
            Reply::json(200, &token)
        }
        Err(why) => invalid_request(&why),
    }
}

fn cloud_shell(world: &World, request: &Request) -> Reply {
    // Not in the shape of the metadata service of machines, but in that of ARM.
    let refuse = |why: &str| {
        Reply::json(
            400,
            &json!({"error": {"code": "BadRequest", "message": why}}),
        )
    };
    if !asks_for_metadata(request) {
        return refuse("Required metadata header not specified");
    }
    let user = world.options.users.first();
    let Some((user, membership)) = user.and_then(|user| Some((user, user.memberships.first()?)))
    else {
        return refuse("there is nobody");
    };
    let identity = Identity::User { user, membership };
    let form = request.form();
    let token = match form.value("token_type") {
        Some("ssh-cert") => certificate(world, &form, identity),
        _ => bearer(world, &form, identity, AZURE_CLI),
    };
    match token {
        Ok(token) => Reply::json(200, &token),
        Err(why) => refuse(&why),
    }
}

fn asks_for_metadata(request: &Request) -> bool {
    request
        .header("metadata")
        .is_some_and(|value| value.eq_ignore_ascii_case("true"))
}

fn invalid_request(why: &str) -> Reply {
    Reply::json(
        400,
        &json!({"error": "invalid_request", "error_description": why}),
    )
}

/// Returns a token of the managed identity.
fn token(world: &World, query: &Fields) -> Result<Value, String> {
    let own = &world.options.managed_identity;
    let named = IDENTITY_FIELDS.iter().find_map(|name| query.value(name));
    if named.is_some_and(|name| ![&own.client_id, &own.oid].iter().any(|own| *own == name)) {
        return Err("Identity not found".to_owned());
    }
    bearer(
        world,
        query,
        Identity::ServicePrincipal(own),
        &own.client_id,
    )
}

fn certificate(world: &World, form: &Fields, identity: Identity<'_>) -> Result<Value, String> {
    let scope = scope(world, form)?;
    issue::token(world, form, identity, AZURE_CLI, &scope).map_err(|refusal| refusal.text())
}

fn scope(world: &World, fields: &Fields) -> Result<Scope, String> {
    let resource = fields
        .value("resource")
        .ok_or("Required field 'resource' is missing")?;
    // Clients of Cloud Shell name the older SSH resource by its scope.
    let resource = resource.strip_suffix("/.default").unwrap_or(resource);
    Scope::parse(&format!("{resource}/.default"), &world.addresses.cloud)
        .map_err(|refusal| refusal.text())
}

fn bearer(
    world: &World,
    fields: &Fields,
    identity: Identity<'_>,
    client_id: &str,
) -> Result<Value, String> {
    let scope = scope(world, fields)?;
    let token = issue::bearer(world, identity, client_id, &scope, None);
    let expires = unix_now() + world.options.bearer_lifetime.as_secs();
    Ok(json!({
        "access_token": token["access_token"],
        "expires_in": token["expires_in"].to_string(),
        "expires_on": expires.to_string(),
        "resource": fields.value("resource"),
        "token_type": "Bearer",
    }))
}
