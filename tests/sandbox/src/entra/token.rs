//! The token endpoint: `POST /{tenant}/oauth2/v2.0/token`.

use serde_json::json;

use super::device_code::check_membership;
use super::error::EntraError;
use super::issue::{self, Identity};
use super::scope::Scope;
use super::{
    assertion, authorize, catalogue, check_public_client, device_code, step_up, tenant,
    tenant_of_user, unknown_application,
};
use crate::encoding::{base64url, random_bytes};
use crate::fault::Fault;
use crate::http::{Fields, Reply, Request};
use crate::options::Tenant;
use crate::world::{World, lock};

const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Whose refresh token it is.
#[derive(Clone, Debug)]
pub(crate) struct RefreshToken {
    upn: String,
    /// Whether it is of a sign-in that answered a claims challenge.
    stepped_up: bool,
    /// How often it was redeemed.
    uses: u32,
}

pub(crate) fn answer(world: &World, request: &Request, name: &str) -> Result<Reply, EntraError> {
    let form = request.form();
    let grant = form
        .value("grant_type")
        .ok_or_else(|| EntraError::missing("grant_type"))?;
    if let Some(fault) = take_fault(world, grant, &form) {
        return Err(fault);
    }
    let tenant = tenant(world, name)?;
    match grant {
        "authorization_code" => authorization_code(world, &form, tenant),
        "client_credentials" => client_credentials(world, &form, tenant, name),
        "device_code" | "urn:ietf:params:oauth:grant-type:device_code" => {
            device_code(world, &form, tenant)
        }
        "refresh_token" => refresh_token(world, &form, tenant),
        other => Err(EntraError::new(
            "unsupported_grant_type",
            70_003,
            format!("The app requested an unsupported grant type '{other}'."),
        )),
    }
}

fn take_fault(world: &World, grant: &str, form: &Fields) -> Option<EntraError> {
    let kind = form.value("token_type").unwrap_or("bearer");
    let matching = |only: &Option<String>, value: &str| {
        only.as_ref()
            .is_none_or(|only| only.eq_ignore_ascii_case(value))
    };
    let fault = world.faults.take(|fault| match fault {
        Fault::Token {
            grant_type,
            token_type,
            ..
        } => matching(grant_type, grant) && matching(token_type, kind),
        _ => false,
    })?;
    let Fault::Token {
        aadsts,
        error,
        description,
        claims,
        suberror,
        status,
        retry_after,
        ..
    } = fault
    else {
        return None;
    };
    if error.is_empty() {
        let worded = catalogue::refusal(aadsts);
        return Some(EntraError {
            status: if status == 400 { worded.status } else { status },
            claims: claims.or(worded.claims),
            suberror: suberror.or(worded.suberror),
            retry_after,
            ..worded
        });
    }
    Some(EntraError {
        status,
        error,
        aadsts,
        description,
        claims,
        suberror,
        retry_after,
    })
}

fn device_code(world: &World, form: &Fields, tenant: Option<&Tenant>) -> Result<Reply, EntraError> {
    let client_id = public_client(form)?;
    let code = form
        .value("device_code")
        .ok_or_else(|| EntraError::missing("device_code"))?;
    let redeemed = device_code::redeem(world, code, client_id)?;
    let tenant = tenant.map(|tenant| tenant.id.clone()).or(redeemed.tenant);
    for_user(
        world,
        form,
        &Grant {
            client_id,
            upn: &redeemed.upn,
            tenant: tenant.as_deref(),
            scope: form.value("scope").unwrap_or(&redeemed.scope),
            nonce: None,
            stepped_up: redeemed.stepped_up,
            brings_refresh_token: true,
        },
    )
}

fn authorization_code(
    world: &World,
    form: &Fields,
    tenant: Option<&Tenant>,
) -> Result<Reply, EntraError> {
    let client_id = public_client(form)?;
    let redeemed = authorize::redeem(world, form, client_id)?;
    if tenant.is_some_and(|tenant| tenant.id != redeemed.tenant) {
        return Err(EntraError::invalid_grant(
            700_005,
            "The provided authorization code is intended to be used against another tenant.",
        ));
    }
    for_user(
        world,
        form,
        &Grant {
            client_id,
            upn: &redeemed.upn,
            tenant: Some(&redeemed.tenant),
            scope: form.value("scope").unwrap_or(&redeemed.scope),
            nonce: redeemed.nonce.as_deref(),
            stepped_up: redeemed.stepped_up,
            brings_refresh_token: true,
        },
    )
}

fn refresh_token(
    world: &World,
    form: &Fields,
    tenant: Option<&Tenant>,
) -> Result<Reply, EntraError> {
    let client_id = public_client(form)?;
    let token = form
        .value("refresh_token")
        .ok_or_else(|| EntraError::missing("refresh_token"))?;
    let scope = form
        .value("scope")
        .ok_or_else(|| EntraError::missing("scope"))?;
    let known = use_refresh_token(world, token)?;
    let limit = world.options.refresh_token_uses;
    let reply = for_user(
        world,
        form,
        &Grant {
            client_id,
            upn: &known.upn,
            tenant: tenant.map(|tenant| tenant.id.as_str()),
            scope,
            nonce: None,
            stepped_up: known.stepped_up,
            brings_refresh_token: limit.is_none_or(|limit| known.uses == limit),
        },
    );
    if reply.is_err()
        && let Some(known) = lock(&world.entra).refresh_tokens.get_mut(token)
    {
        // It bought nothing.
        known.uses -= 1;
    }
    reply
}

/// Counts a use of a refresh token, and returns the token as it is then. Every client of the family may use it, whichever it
/// was given to.
fn use_refresh_token(world: &World, token: &str) -> Result<RefreshToken, EntraError> {
    let mut state = lock(&world.entra);
    let known = state.refresh_tokens.get_mut(token).ok_or_else(|| {
        EntraError::invalid_grant(
            9_002_313,
            "Invalid request. Request is malformed or invalid: the refresh token is not known.",
        )
    })?;
    if world.options.refresh_token_uses == Some(known.uses) {
        return Err(EntraError::invalid_grant(
            70_008,
            "The provided authorization code or refresh token has expired due to inactivity. \
             Send a new interactive authorization request for this user and resource.",
        ));
    }
    known.uses += 1;
    Ok(known.clone())
}

fn public_client(form: &Fields) -> Result<&str, EntraError> {
    let client_id = form
        .value("client_id")
        .ok_or_else(|| EntraError::missing("client_id"))?;
    check_public_client(client_id)?;
    Ok(client_id)
}

/// What a person's grant came to.
struct Grant<'a> {
    client_id: &'a str,
    upn: &'a str,
    tenant: Option<&'a str>,
    scope: &'a str,
    nonce: Option<&'a str>,
    stepped_up: bool,
    /// Whether the answer holds a refresh token, if `offline_access` was asked for or implied.
    brings_refresh_token: bool,
}

fn for_user(world: &World, form: &Fields, grant: &Grant<'_>) -> Result<Reply, EntraError> {
    let user = world.user(grant.upn).ok_or_else(|| {
        EntraError::invalid_grant(
            50_034,
            format!(
                "The user account {} does not exist in the directory.",
                grant.upn
            ),
        )
    })?;
    let tenant = grant.tenant.and_then(|tenant| world.tenant(tenant));
    let tenant = tenant_of_user(tenant, user);
    check_membership(user, &tenant)?;
    let Some(membership) = user.membership(&tenant) else {
        return Err(EntraError::missing("tenant"));
    };
    let scope = Scope::parse(grant.scope, &world.addresses.cloud)?;
    step_up::check(world, form, user, grant.stepped_up)?;
    let identity = Identity::User { user, membership };
    let mut body = issue::token(world, form, identity, grant.client_id, &scope)?;
    let lasting = scope.offline_access || form.value("grant_type") == Some("refresh_token");
    if lasting && grant.brings_refresh_token {
        body["refresh_token"] = json!(new_refresh_token(
            world,
            RefreshToken {
                upn: user.upn.clone(),
                stepped_up: grant.stepped_up,
                uses: 0,
            },
        ));
    }
    // All clients that users sign in with here are of the one family that shares refresh tokens.
    body["foci"] = json!("1");
    if scope.open_id {
        body["id_token"] = json!(issue::id_token(
            world,
            user,
            membership,
            grant.client_id,
            grant.nonce
        ));
    }
    if form.value("client_info") == Some("1") {
        body["client_info"] = json!(issue::client_info(user));
    }
    Ok(issue::reply(&body))
}

/// Makes a refresh token; that older ones still work is up to the options.
fn new_refresh_token(world: &World, token: RefreshToken) -> String {
    let name = format!("1.sandbox-{}", base64url(random_bytes::<64>()));
    lock(&world.entra)
        .refresh_tokens
        .insert(name.clone(), token);
    name
}

fn client_credentials(
    world: &World,
    form: &Fields,
    tenant: Option<&Tenant>,
    name: &str,
) -> Result<Reply, EntraError> {
    let field = |name| form.value(name).ok_or_else(|| EntraError::missing(name));
    let tenant = tenant.ok_or_else(|| {
        EntraError::invalid_request(
            50_194,
            format!(
                "Application is not configured as a multi-tenant application. Usage of the \
                 /{name} endpoint is not supported for such apps."
            ),
        )
    })?;
    let client_id = field("client_id")?;
    let principal = world
        .service_principal(client_id)
        .filter(|principal| principal.tenant == tenant.id)
        .ok_or_else(|| unknown_application(client_id))?;
    match (form.value("client_secret"), form.value("client_assertion")) {
        (Some(secret), None) if secret == principal.client_secret => {}
        (Some(_), None) => {
            return Err(EntraError::invalid_client(
                7_000_215,
                format!(
                    "Invalid client secret provided. Ensure the secret being sent in the request \
                     is the client secret value, not the client secret ID, for a secret added to \
                     app '{client_id}'."
                ),
            ));
        }
        (None, Some(token)) if form.value("client_assertion_type") == Some(JWT_BEARER) => {
            assertion::check(world, principal, tenant, token)?;
        }
        _ => {
            return Err(EntraError::invalid_client(
                7_000_218,
                "The request body must contain the following parameter: 'client_assertion' or \
                 'client_secret'.",
            ));
        }
    }
    let scope = field("scope")?;
    if !scope.ends_with("/.default") {
        return Err(EntraError::new(
            "invalid_scope",
            1_002_012,
            format!(
                "The provided value for scope {scope} is not valid. Client credential flows must \
                 have a scope value with /.default suffixed to the resource identifier \
                 (application ID URI)."
            ),
        ));
    }
    let scope = Scope::parse(scope, &world.addresses.cloud)?;
    let identity = Identity::ServicePrincipal(principal);
    let body = issue::token(world, form, identity, client_id, &scope)?;
    Ok(issue::reply(&body))
}
