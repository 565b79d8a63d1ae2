//! JSON Web Tokens, signed RS256 with the sandbox's token key.

use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use serde_json::{Value, json};

use crate::encoding::{base64url, decode_base64url};
use crate::keys::SigningKey;

/// A token that was taken apart; nothing about it was checked.
#[derive(Clone, Debug)]
pub(crate) struct Unverified {
    pub(crate) header: Value,
    pub(crate) claims: Value,
    pub(crate) signed: String,
    pub(crate) signature: Vec<u8>,
}

impl Unverified {
    /// Takes `header.claims.signature` apart.
    pub(crate) fn parse(token: &str) -> Option<Self> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let json =
            |part: &str| -> Option<Value> { serde_json::from_slice(&decode_base64url(part)?).ok() };
        Some(Self {
            header: json(header)?,
            claims: json(claims)?,
            signed: signed.to_owned(),
            signature: decode_base64url(signature)?,
        })
    }

    /// Returns a claim that is text.
    pub(crate) fn claim(&self, name: &str) -> &str {
        self.claims[name].as_str().unwrap_or_default()
    }
}

/// Signs claims.
pub(crate) fn sign(key: &SigningKey, claims: &Value) -> String {
    let key_id = key.key_id();
    let header = json!({"typ": "JWT", "alg": "RS256", "kid": key_id, "x5t": key_id});
    let signed = format!(
        "{}.{}",
        base64url(header.to_string()),
        base64url(claims.to_string())
    );
    let signature = key.sign_sha256(signed.as_bytes());
    format!("{signed}.{}", base64url(signature))
}

/// Returns the claims of a token that the sandbox signed and that did not expire.
pub(crate) fn verify(key: &SigningKey, now: u64, token: &str) -> Option<Value> {
    let token = Unverified::parse(token)?;
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.public_der())
        .verify(token.signed.as_bytes(), &token.signature)
        .ok()?;
    (token.claims["exp"].as_u64()? > now).then_some(token.claims)
}
