//! Who asks, and what they may do.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::error::ArmError;
use crate::clock::unix_now;
use crate::entra::jwt;
use crate::entra::scope::ARM_AUDIENCE;
use crate::fault::Fault;
use crate::http::{Reply, Request};
use crate::options::{Role, ServicePrincipal, Tenant, User};
use crate::world::World;

/// Whoever a bearer token speaks for.
#[derive(Debug)]
pub(crate) struct Caller<'a> {
    /// The tenant that the token is of.
    pub(crate) tenant: &'a Tenant,
    pub(crate) role: Role,
    pub(crate) user: Option<&'a User>,
    name: String,
}

impl<'a> Caller<'a> {
    /// Checks the bearer token of a request.
    pub(crate) fn authenticate(world: &'a World, request: &Request) -> Result<Self, ArmError> {
        let token = request.header("authorization").and_then(|header| {
            let (scheme, token) = header.split_once(' ')?;
            scheme
                .eq_ignore_ascii_case("bearer")
                .then_some(token.trim())
        });
        let Some(token) = token else {
            return Err(challenge(
                world,
                home_of(world, request),
                "AuthenticationFailed",
                "Authentication failed. The 'Authorization' header is missing.",
            ));
        };
        let invalid = || {
            challenge(
                world,
                home_of(world, request),
                "InvalidAuthenticationToken",
                "The access token is invalid: its signature, audience or expiry is not right.",
            )
        };
        let claims = jwt::verify(world.signing_key, unix_now(), token)
            .filter(|claims| claims["aud"] == ARM_AUDIENCE)
            .ok_or_else(invalid)?;
        if let Some(required) = insufficient(world, &claims["asked_with"]) {
            return Err(claims_challenge(world, &required));
        }
        let tenant = claims["tid"]
            .as_str()
            .and_then(|tenant| world.tenant(tenant))
            .ok_or_else(invalid)?;
        let oid = claims["oid"].as_str().unwrap_or_default();
        let user = world.options.users.iter().find(|user| {
            user.membership(&tenant.id)
                .is_some_and(|membership| membership.oid == oid)
        });
        let principal: Option<&ServicePrincipal> = world
            .options
            .service_principals
            .iter()
            .chain([&world.options.managed_identity])
            .find(|principal| principal.oid == oid);
        let role = user
            .map(|user| user.role)
            .or_else(|| principal.map(|principal| principal.role))
            .ok_or_else(invalid)?;
        let name = user.map_or_else(|| oid.to_owned(), |user| user.upn.clone());
        Ok(Self {
            tenant,
            role,
            user,
            name,
        })
    }

    /// Checks that a subscription exists, and that the token is of its tenant.
    pub(crate) fn enter(&self, world: &World, subscription: &str) -> Result<(), ArmError> {
        let owner = owner(world, subscription).ok_or_else(|| {
            ArmError::new(
                404,
                "SubscriptionNotFound",
                format!("The subscription '{subscription}' could not be found."),
            )
        })?;
        if owner.id == self.tenant.id {
            return Ok(());
        }
        let authority = &world.addresses.cloud;
        Err(challenge(
            world,
            owner,
            "InvalidAuthenticationTokenTenant",
            &format!(
                "The access token is from the wrong issuer '{authority}/{}/'. It must match the \
                 tenant '{authority}/{}/' associated with this subscription. Please use the \
                 authority (URL) '{authority}/{}' to get the token.",
                self.tenant.id, owner.id, owner.id
            ),
        ))
    }

    /// Checks that the caller may do something that changes or opens a resource.
    pub(crate) fn may(&self, action: &str, scope: &str) -> Result<(), ArmError> {
        let allowed = match self.role {
            Role::Administrator | Role::Contributor => true,
            Role::LocalUser | Role::User => action.ends_with("/listCredentials/action"),
            Role::Reader => false,
        };
        if allowed {
            return Ok(());
        }
        Err(ArmError::new(
            403,
            "AuthorizationFailed",
            format!(
                "The client '{}' does not have authorization to perform action '{action}' over \
                 scope '{scope}' or the scope is invalid. If access was recently granted, please \
                 refresh your credentials.",
                self.name
            ),
        ))
    }
}

/// Returns the tenant of a subscription.
pub(crate) fn owner<'a>(world: &'a World, subscription: &str) -> Option<&'a Tenant> {
    world
        .options
        .tenants
        .iter()
        .find(|tenant| tenant.subscription_id.eq_ignore_ascii_case(subscription))
}

/// Returns the tenant that a request without a good token is sent to.
fn home_of<'a>(world: &'a World, request: &Request) -> Option<&'a Tenant> {
    request
        .segments
        .get(1)
        .and_then(|subscription| owner(world, subscription))
}

fn challenge<'a>(
    world: &World,
    tenant: impl Into<Option<&'a Tenant>>,
    code: &str,
    message: &str,
) -> ArmError {
    let name = tenant.into().map_or("common", |tenant| &tenant.id);
    ArmError::new(401, code, message).with(
        "WWW-Authenticate",
        format!(
            "Bearer authorization_uri=\"{}/{name}\", error=\"invalid_token\", \
             error_description=\"{message}\"",
            world.addresses.cloud
        ),
    )
}

/// Returns the claims that a token lacks, if a challenge stands: it has to have been asked for with all of them, and with the
/// client's own capability.
fn insufficient(world: &World, asked: &Value) -> Option<String> {
    let standing = world
        .faults
        .standing(|fault| matches!(fault, Fault::ClaimsChallenge { .. }))?;
    let Fault::ClaimsChallenge { claims } = standing else {
        return None;
    };
    let required: Value = serde_json::from_str(&claims).unwrap_or_default();
    let asked = &asked["access_token"];
    let has_all = required["access_token"]
        .as_object()
        .is_some_and(|required| required.iter().all(|(name, value)| asked[name] == *value));
    let is_capable = asked["xms_cc"]["values"][0] == "CP1";
    (!has_all || !is_capable).then_some(claims)
}

fn claims_challenge(world: &World, claims: &str) -> ArmError {
    ArmError::new(
        401,
        "InvalidAuthenticationToken",
        "Continuous access evaluation resulted in challenge.",
    )
    .with(
        "WWW-Authenticate",
        format!(
            "Bearer realm=\"\", authorization_uri=\"{}/common/oauth2/authorize\", \
             error=\"insufficient_claims\", claims=\"{}\"",
            world.addresses.cloud,
            STANDARD.encode(claims)
        ),
    )
}

/// `GET {scope}/providers/Microsoft.Authorization/permissions`
pub(crate) fn permissions(caller: &Caller<'_>) -> Reply {
    let login = json!([
        "Microsoft.Compute/virtualMachines/login/action",
        "Microsoft.HybridCompute/machines/login/action",
    ]);
    let login_as_administrator = json!([
        "Microsoft.Compute/virtualMachines/login/action",
        "Microsoft.Compute/virtualMachines/loginAsAdmin/action",
        "Microsoft.HybridCompute/machines/login/action",
        "Microsoft.HybridCompute/machines/loginAsAdmin/action",
    ]);
    let read_and_connect = json!([
        "*/read",
        "Microsoft.HybridConnectivity/endpoints/listCredentials/action",
    ]);
    let none = json!([]);
    let (actions, not_actions, data_actions) = match caller.role {
        Role::Administrator => (json!(["*"]), none.clone(), login_as_administrator),
        Role::Contributor => (
            json!(["*"]),
            json!([
                "Microsoft.Authorization/*/Delete",
                "Microsoft.Authorization/*/Write"
            ]),
            none.clone(),
        ),
        Role::LocalUser => (read_and_connect, none.clone(), none.clone()),
        Role::Reader => (json!(["*/read"]), none.clone(), none.clone()),
        Role::User => (read_and_connect, none.clone(), login),
    };
    Reply::json(
        200,
        &json!({"value": [{
            "actions": actions,
            "notActions": not_actions,
            "dataActions": data_actions,
            "notDataActions": none,
        }]}),
    )
}
