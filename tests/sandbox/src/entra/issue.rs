//! From somebody who proved who they are to the token they asked for.

use serde_json::{Value, json};

use super::AZURE_CLI;
use super::certificate::{self, ClientKey, Subject};
use super::error::EntraError;
use super::jwt;
use super::scope::{Resource, Scope};
use crate::clock::unix_now;
use crate::encoding::base64url;
use crate::fault::{Fault, Variation};
use crate::http::{Fields, Reply};
use crate::options::{Membership, ServicePrincipal, User};
use crate::world::World;

/// How long an ID token lasts.
const ID_TOKEN_SECONDS: u64 = 3_600;

/// Somebody who proved who they are.
#[derive(Clone, Copy)]
pub(crate) enum Identity<'a> {
    User {
        user: &'a User,
        membership: &'a Membership,
    },
    ServicePrincipal(&'a ServicePrincipal),
}

impl Identity<'_> {
    fn tenant(&self) -> &str {
        match self {
            Self::User { membership, .. } => &membership.tenant,
            Self::ServicePrincipal(principal) => &principal.tenant,
        }
    }

    fn oid(&self) -> &str {
        match self {
            Self::User { membership, .. } => &membership.oid,
            Self::ServicePrincipal(principal) => &principal.oid,
        }
    }

    fn display_name(&self) -> &str {
        match self {
            Self::User { user, .. } => &user.display_name,
            Self::ServicePrincipal(principal) => &principal.display_name,
        }
    }

    fn principal(&self) -> &str {
        match self {
            Self::User { membership, .. } => &membership.upn,
            Self::ServicePrincipal(principal) => &principal.client_id,
        }
    }
}

/// Returns the token endpoint's answer, without the fields that only people get.
pub(crate) fn token(
    world: &World,
    form: &Fields,
    identity: Identity<'_>,
    client_id: &str,
    scope: &Scope,
) -> Result<Value, EntraError> {
    match form.value("token_type") {
        Some(kind) if kind.eq_ignore_ascii_case("ssh-cert") => {
            ssh_certificate(world, form, identity, client_id, scope)
        }
        Some(kind) if !kind.eq_ignore_ascii_case("bearer") => Err(EntraError::invalid_request(
            9_002_313,
            format!("Invalid request. The token type '{kind}' is not supported."),
        )),
        _ => Ok(bearer(
            world,
            identity,
            client_id,
            scope,
            form.value("claims"),
        )),
    }
}

fn ssh_certificate(
    world: &World,
    form: &Fields,
    identity: Identity<'_>,
    client_id: &str,
    scope: &Scope,
) -> Result<Value, EntraError> {
    if scope.resource != Resource::Ssh {
        return Err(EntraError::new(
            "invalid_scope",
            70_011,
            format!(
                "The provided value for the input parameter 'scope' is not valid. The scope {} \
                 has no SSH certificates.",
                scope.granted
            ),
        ));
    }
    if matches!(identity, Identity::User { .. }) && !client_id.eq_ignore_ascii_case(AZURE_CLI) {
        return Err(EntraError::invalid_request(
            65_002,
            format!(
                "Consent between first party application '{client_id}' and first party resource \
                 '{}' must be configured via preauthorization - applications owned and operated \
                 by Microsoft must get approval from the API owner before requesting tokens for \
                 that API.",
                scope.audience
            ),
        ));
    }
    let req_cnf = form
        .value("req_cnf")
        .ok_or_else(|| EntraError::missing("req_cnf"))?;
    let key = ClientKey::parse(
        req_cnf,
        form.value("key_id"),
        world.options.certifies_ed25519,
    )?;
    let (variation, lifetime) = certificate_fault(world);
    if variation == Variation::Bearer {
        return Ok(bearer(world, identity, client_id, scope, None));
    }
    let subject = Subject {
        display_name: identity.display_name().to_owned(),
        oid: identity.oid().to_owned(),
        tenant: certified_tenant(world, identity.tenant(), variation).to_owned(),
        principal: identity.principal().to_owned(),
    };
    let blob = certificate::issue(
        world.signing_key,
        certificate_time(world),
        lifetime,
        &key,
        &subject,
        variation,
    );
    Ok(json!({
        "token_type": "ssh-cert",
        "scope": scope.granted,
        "expires_in": lifetime.saturating_sub(1),
        "ext_expires_in": lifetime.saturating_sub(1),
        "access_token": blob,
    }))
}

/// Returns the time by the clock that dates certificates.
fn certificate_time(world: &World) -> u64 {
    let clock = world
        .faults
        .standing(|fault| matches!(fault, Fault::Clock { .. }));
    match clock {
        Some(Fault::Clock {
            offset_seconds,
            certificates: true,
        }) => unix_now().saturating_add_signed(offset_seconds),
        _ => unix_now(),
    }
}

/// Returns the tenant that a certificate names.
fn certified_tenant<'a>(world: &'a World, tenant: &'a str, variation: Variation) -> &'a str {
    let mut others = world.options.tenants.iter().map(|other| other.id.as_str());
    match variation {
        Variation::WrongTenant => others.find(|other| *other != tenant).unwrap_or(tenant),
        _ => tenant,
    }
}

fn certificate_fault(world: &World) -> (Variation, u64) {
    let usual = world.options.certificate_lifetime.as_secs();
    match world
        .faults
        .take(|fault| matches!(fault, Fault::Certificate { .. }))
    {
        Some(Fault::Certificate {
            variation,
            lifetime_seconds,
        }) => (variation, lifetime_seconds.unwrap_or(usual)),
        _ => (Variation::None, usual),
    }
}

/// Returns the token endpoint's answer with a bearer token.
pub(crate) fn bearer(
    world: &World,
    identity: Identity<'_>,
    client_id: &str,
    scope: &Scope,
    asked: Option<&str>,
) -> Value {
    let now = unix_now();
    let lifetime = world.options.bearer_lifetime.as_secs();
    let tenant = identity.tenant();
    let version = match scope.resource {
        Resource::TokenExchange => "v2.0",
        _ => "",
    };
    let mut claims = json!({
        "aud": scope.audience,
        "iss": format!("{}/{tenant}/{version}", world.addresses.cloud),
        "iat": now,
        "nbf": now,
        "exp": now + lifetime,
        "appid": client_id,
        "name": identity.display_name(),
        "oid": identity.oid(),
        "sub": identity.oid(),
        "tid": tenant,
        "uti": uuid::Uuid::new_v4().to_string(),
        "ver": "1.0",
        "xms_cc": ["CP1"],
        // The real token says otherwise what it was asked for with.
        "asked_with": asked.and_then(|claims| serde_json::from_str::<Value>(claims).ok()),
    });
    match identity {
        Identity::User { membership, .. } => {
            claims["idtyp"] = json!("user");
            claims["scp"] = json!("user_impersonation");
            claims["upn"] = json!(membership.upn);
            claims["unique_name"] = json!(membership.upn);
        }
        Identity::ServicePrincipal(_) => {
            claims["idtyp"] = json!("app");
        }
    }
    let mut body = json!({
        "token_type": "Bearer",
        "expires_in": lifetime.saturating_sub(1),
        "ext_expires_in": lifetime.saturating_sub(1),
        "access_token": jwt::sign(world.signing_key, &claims),
    });
    if matches!(identity, Identity::User { .. }) {
        body["scope"] = json!(scope.granted);
    }
    body
}

/// Returns an ID token, `OpenID` Connect Core 1.0, section 2.
pub(crate) fn id_token(
    world: &World,
    user: &User,
    membership: &Membership,
    client_id: &str,
    nonce: Option<&str>,
) -> String {
    let now = unix_now();
    let mut claims = json!({
        "aud": client_id,
        "iss": format!("{}/{}/v2.0", world.addresses.cloud, membership.tenant),
        "iat": now,
        "nbf": now,
        "exp": now + ID_TOKEN_SECONDS,
        "name": user.display_name,
        "oid": membership.oid,
        "preferred_username": user.upn,
        "sub": membership.oid,
        "tid": membership.tenant,
        "ver": "2.0",
    });
    if let Some(nonce) = nonce {
        claims["nonce"] = json!(nonce);
    }
    jwt::sign(world.signing_key, &claims)
}

/// Returns who the user is at home, as MSAL keys its cache.
pub(crate) fn client_info(user: &User) -> String {
    let home = &user.memberships[0];
    base64url(json!({"uid": home.oid, "utid": home.tenant}).to_string())
}

/// Returns an answer that must not be kept by anything on its way.
pub(crate) fn reply(body: &Value) -> Reply {
    Reply::json(200, body)
        .with("Cache-Control", "no-store, no-cache")
        .with("Pragma", "no-cache")
}
