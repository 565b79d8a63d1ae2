//! Signing what workloads prove themselves with.

use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::clock::unix_now;
use crate::entra::jwt;
use crate::keys::SigningKey;
use crate::world::World;

/// Returns the key of all issuers that are not Entra; the first call makes it, as few need it.
pub(crate) fn key() -> &'static SigningKey {
    static KEY: OnceLock<SigningKey> = OnceLock::new();
    KEY.get_or_init(SigningKey::generate)
}

/// Returns a token that is unlike every other, with these claims beside the usual ones.
pub(super) fn assertion(
    world: &World,
    (issuer, subject): (&str, &str),
    audience: &str,
    more: &Value,
) -> String {
    let now = unix_now();
    let mut claims = json!({
        "iss": issuer,
        "sub": subject,
        "aud": audience,
        "iat": now,
        "nbf": now.saturating_sub(300),
        "exp": now + world.options.assertion_lifetime.as_secs(),
        "jti": uuid::Uuid::new_v4().to_string(),
    });
    if let (Some(claims), Some(more)) = (claims.as_object_mut(), more.as_object()) {
        claims.extend(more.clone());
    }
    jwt::sign(key(), &claims)
}
