//! Entra ID: discovery, sign-in pages, the token endpoint and the SSH certificate authority.

pub(crate) mod assertion;
pub(crate) mod authorize;
pub(crate) mod catalogue;
pub(crate) mod certificate;
pub(crate) mod device_code;
pub(crate) mod discovery;
pub(crate) mod error;
pub(crate) mod issue;
pub(crate) mod jwt;
pub(crate) mod page;
pub(crate) mod scope;
pub(crate) mod step_up;
pub(crate) mod token;

use std::collections::HashMap;

use hyper::Method;

use crate::fault::Fault;
use crate::http::{NoAnswer, Reply, Request};
use crate::options::{Tenant, User};
use crate::world::World;
use discovery::Version;
use error::EntraError;

/// The public client of the Azure CLI, pre-authorised for SSH certificates.
pub(crate) const AZURE_CLI: &str = "04b07795-8ddb-461a-bbee-02f9e1bf7b46";
/// The public client of Azure PowerShell, which is known and not pre-authorised.
const AZURE_POWERSHELL: &str = "1950a258-227b-4e31-a9cf-717495945fc2";

/// Tenant names that mean "the home tenant of whoever signs in".
const HOME_TENANTS: [&str; 2] = ["common", "organizations"];

/// What Entra remembers.
#[derive(Default)]
pub(crate) struct EntraState {
    authorization_codes: HashMap<String, authorize::AuthorizationCode>,
    /// PEM certificates that were registered since the start, by client ID in lower case.
    pub(crate) certificates: HashMap<String, Vec<String>>,
    device_codes: HashMap<String, device_code::DeviceCode>,
    refresh_tokens: HashMap<String, token::RefreshToken>,
}

/// Answers a request to the authority.
pub(crate) fn answer(world: &World, request: &Request) -> Result<Reply, NoAnswer> {
    if world
        .faults
        .take(|fault| matches!(fault, Fault::Outage))
        .is_some()
    {
        return Err(NoAnswer);
    }
    Ok(route(world, request).unwrap_or_else(|error| error.reply(&world.addresses.cloud, request)))
}

fn route(world: &World, request: &Request) -> Result<Reply, EntraError> {
    let segments: Vec<&str> = request.segments.iter().map(String::as_str).collect();
    let get = request.method == Method::GET;
    let post = request.method == Method::POST;
    match segments.as_slice() {
        ["common", "discovery", "instance"] if get => discovery::instance(world, request),
        [tenant, "v2.0", ".well-known", "openid-configuration"]
        | [tenant, ".well-known", "openid-configuration"]
            if get =>
        {
            discovery::openid_configuration(world, tenant)
        }
        [tenant, "discovery", "keys"] if get => discovery::keys(world, tenant, Version::V1),
        [tenant, "discovery", "v2.0", "keys"] if get => discovery::keys(world, tenant, Version::V2),
        [tenant, "oauth2", "v2.0", "authorize"] if get => {
            Ok(authorize::page(world, request, tenant))
        }
        [tenant, "oauth2", "v2.0", "authorize"] if post => {
            authorize::answer(world, request, tenant)
        }
        [tenant, "oauth2", "v2.0", "devicecode"] if post => {
            device_code::start(world, request, tenant)
        }
        [_, "oauth2", "deviceauth"] if get => Ok(device_code::page(world, request)),
        [_, "oauth2", "deviceauth"] if post => Ok(device_code::answer(world, request)),
        [_, "oauth2", "nativeclient"] if get => Ok(page::message(
            200,
            "Signed in",
            "The address of this page holds the code: copy it to where you were asked for it.",
        )),
        [_, "oauth2", "v2.0", "logout"] if get => {
            Ok(page::message(200, "Signed out", "You can close this page."))
        }
        [tenant, "oauth2", "v2.0", "token"] if post => token::answer(world, request, tenant),
        _ => Ok(Reply::text(404, "not found")),
    }
}

/// Finds the tenant that a path names; `None` stands for the home tenant.
fn tenant<'a>(world: &'a World, name: &str) -> Result<Option<&'a Tenant>, EntraError> {
    if HOME_TENANTS
        .iter()
        .any(|home| home.eq_ignore_ascii_case(name))
    {
        return Ok(None);
    }
    world.tenant(name).map(Some).ok_or_else(|| {
        EntraError::invalid_request(
            90_002,
            format!(
                "Tenant '{name}' not found. Check to make sure you have the correct tenant ID \
                 and are signing into the correct cloud. Check with your subscription \
                 administrator, this may happen if there are no active subscriptions for the \
                 tenant."
            ),
        )
    })
}

/// Returns the ID of the tenant where a user is to get a token.
fn tenant_of_user(tenant: Option<&Tenant>, user: &User) -> String {
    tenant.map_or_else(
        || user.memberships[0].tenant.clone(),
        |tenant| tenant.id.clone(),
    )
}

/// Checks that people may sign in through this client at all.
fn check_public_client(client_id: &str) -> Result<(), EntraError> {
    if [AZURE_CLI, AZURE_POWERSHELL]
        .iter()
        .any(|known| known.eq_ignore_ascii_case(client_id))
    {
        return Ok(());
    }
    Err(unknown_application(client_id))
}

fn unknown_application(client_id: &str) -> EntraError {
    EntraError::new(
        "unauthorized_client",
        700_016,
        format!(
            "Application with identifier '{client_id}' was not found in the directory. This can \
             happen if the application has not been installed by the administrator of the tenant \
             or consented to by any user in the tenant. You may have sent your authentication \
             request to the wrong tenant."
        ),
    )
}
