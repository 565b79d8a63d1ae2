//! Metadata: `OpenID` configuration, signing keys, and the instances MSAL asks about.

use serde_json::json;

use super::error::EntraError;
use super::tenant;
use crate::encoding::{base64, base64url};
use crate::http::{Reply, Request};
use crate::world::World;

pub(crate) fn openid_configuration(world: &World, name: &str) -> Result<Reply, EntraError> {
    let authority = &world.addresses.cloud;
    let found = tenant(world, name).map_err(|error| EntraError {
        error: "invalid_tenant".to_owned(),
        ..error
    })?;
    let path = found.map_or(name, |tenant| &tenant.id);
    let issuer = found.map_or("{tenantid}", |tenant| &tenant.id);
    let base = format!("{authority}/{path}");
    Ok(Reply::json(
        200,
        &json!({
            "authorization_endpoint": format!("{base}/oauth2/v2.0/authorize"),
            "claims_supported": ["sub", "iss", "aud", "exp", "iat", "nonce", "preferred_username",
                "name", "tid", "oid"],
            "cloud_instance_name": "sandbox",
            "device_authorization_endpoint": format!("{base}/oauth2/v2.0/devicecode"),
            "end_session_endpoint": format!("{base}/oauth2/v2.0/logout"),
            "frontchannel_logout_supported": true,
            "http_logout_supported": true,
            "id_token_signing_alg_values_supported": ["RS256"],
            "issuer": format!("{authority}/{issuer}/v2.0"),
            "jwks_uri": format!("{base}/discovery/v2.0/keys"),
            "request_uri_parameter_supported": false,
            "response_modes_supported": ["query", "form_post"],
            "response_types_supported": ["code"],
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "subject_types_supported": ["pairwise"],
            "token_endpoint": format!("{base}/oauth2/v2.0/token"),
            "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
            "cloud_graph_host_name": "graph.windows.net",
            "msgraph_host": "graph.microsoft.com",
            "rbac_url": "https://pas.windows.net",
            "tenant_region_scope": found.map(|_| "EU"),
            "userinfo_endpoint": "https://graph.microsoft.com/oidc/userinfo",
        }),
    ))
}

/// Answers which hosts belong together; the sandbox is the only one.
pub(crate) fn instance(world: &World, request: &Request) -> Result<Reply, EntraError> {
    let authority = &world.addresses.cloud;
    let host = authority.trim_start_matches("https://");
    let endpoint = request
        .query
        .value("authorization_endpoint")
        .ok_or_else(|| EntraError::missing("authorization_endpoint"))?;
    let tenant = endpoint
        .strip_prefix(authority.as_str())
        .and_then(|path| path.strip_prefix('/')?.split('/').next())
        .filter(|tenant| !tenant.is_empty())
        .ok_or_else(|| {
            EntraError::new(
                "invalid_instance",
                50_049,
                format!("Unknown or invalid instance '{endpoint}'."),
            )
        })?;
    Ok(Reply::json(
        200,
        &json!({
            "tenant_discovery_endpoint":
                format!("{authority}/{tenant}/v2.0/.well-known/openid-configuration"),
            "api-version": "1.1",
            "metadata": [{
                "preferred_network": host,
                "preferred_cache": host,
                "aliases": [host],
            }],
        }),
    ))
}

/// Answers the keys that tokens and SSH certificates are signed with (RFC 7517), in the shape of
/// `v2.0`; the older one has no `issuer`.
///
/// ```text
/// {"keys":[{"kty":"RSA","use":"sig","kid":"…","x5t":"…","n":"…","e":"AQAB","x5c":["MII…"],"issuer":"…"}]}
/// ```
pub(crate) fn keys(world: &World, name: &str, version: Version) -> Result<Reply, EntraError> {
    let key = world.signing_key;
    let key_id = key.key_id();
    let mut entry = json!({
        "kty": "RSA",
        "use": "sig",
        "kid": key_id,
        "x5t": key_id,
        "n": base64url(key.modulus()),
        "e": base64url(key.exponent()),
        "x5c": [base64(key.certificate())],
    });
    let found = tenant(world, name)?;
    if version == Version::V2 {
        let issuer = found.map_or("{tenantid}", |tenant| &tenant.id);
        entry["cloud_instance_name"] = json!("sandbox");
        entry["issuer"] = json!(format!("{}/{issuer}/v2.0", world.addresses.cloud));
    }
    let reply = Reply::json(200, &json!({"keys": [entry]}));
    Ok(reply.with("Cache-Control", "max-age=86400, private"))
}

/// The two shapes of Entra's metadata.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Version {
    V1,
    V2,
}
