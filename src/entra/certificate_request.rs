use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::Application;
use super::prompt::claims_parameter;
use crate::certificate::{KeyError, MIN_RSA_BITS, PublicKey};
use crate::cloud::Cloud;
use crate::hex;

/// What a token request is for.
#[derive(Clone, Copy, Debug)]
pub enum Wanted<'a> {
    /// An SSH certificate.
    Certificate(&'a CertificateRequest),
    /// A bearer token (RFC 6750) for an application.
    Token(Application),
    /// A bearer token for Azure Resource Manager with the claims, in JSON, that it demanded (continuous access evaluation).
    TokenWithClaims(&'a str),
}

impl Wanted<'_> {
    /// Returns the scope of the application itself; flows of users add `offline_access openid profile`.
    #[must_use]
    pub fn scope<'c>(&self, cloud: &'c Cloud) -> &'c str {
        self.application().scope(cloud)
    }

    /// Returns the application that it is for.
    #[must_use]
    pub const fn application(&self) -> Application {
        match self {
            Self::Certificate(_) => Application::Ssh,
            Self::Token(application) => *application,
            Self::TokenWithClaims(_) => Application::ResourceManager,
        }
    }

    /// Returns the form fields beyond those of RFC 6749.
    #[must_use]
    pub fn fields(&self) -> Vec<(&'static str, Cow<'_, str>)> {
        let claims = claims_parameter(self.claims());
        let mut fields = vec![("claims", claims.into()), ("client_info", "1".into())];
        if let Self::Certificate(request) = self {
            fields.extend([
                ("token_type", "ssh-cert".into()),
                ("req_cnf", request.jwk.as_str().into()),
                ("key_id", request.key_id.as_str().into()),
            ]);
        }
        fields
    }

    /// Returns the demanded claims, in JSON.
    #[must_use]
    pub const fn claims(&self) -> Option<&str> {
        match self {
            Self::TokenWithClaims(claims) => Some(claims),
            Self::Certificate(_) | Self::Token(_) => None,
        }
    }
}

/// The part of a token request that carries our public key.
///
/// As the Azure CLI sends it: a JSON Web Key whose numbers are the padded base64url of the SSH mpints, so that the
/// modulus keeps its leading zero, and whose `kid` is the SHA-256, in lower-case hex, over the text of `n` and `e`.
///
/// The Azure CLI has no Ed25519 keys, for which Entra issues no certificates yet. They follow RFC 8037, and their `kid` is
/// over the text of `x`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CertificateRequest {
    jwk: String,
    key_id: String,
}

#[derive(Serialize)]
#[serde(tag = "kty")]
enum Jwk<'a> {
    #[serde(rename = "OKP")]
    Ed25519 {
        crv: &'a str,
        x: &'a str,
        kid: &'a str,
    },
    #[serde(rename = "RSA")]
    Rsa {
        n: &'a str,
        e: &'a str,
        kid: &'a str,
    },
}

impl CertificateRequest {
    /// Returns the request for this key.
    ///
    /// # Errors
    /// [`KeyError::Malformed`] if it is neither an RSA nor an Ed25519 key; [`KeyError::TooShort`] if it is an RSA key below
    /// [`MIN_RSA_BITS`].
    pub fn new(key: &PublicKey) -> Result<Self, KeyError> {
        if let Some(public) = key.ed25519() {
            let x = URL_SAFE_NO_PAD.encode(public);
            let key_id = hex::encode(&Sha256::digest(&x));
            let (crv, kid) = ("Ed25519", key_id.as_str());
            return Ok(Self::of(&Jwk::Ed25519 { crv, x: &x, kid }, &key_id));
        }
        let Some((modulus, exponent)) = key.rsa_mpints() else {
            return Err(KeyError::Malformed {
                what: "key for Entra",
                reason: format!("it certifies RSA keys, and this is `{}`", key.algorithm()),
            });
        };
        match key.rsa_bits() {
            Some(bits) if bits < MIN_RSA_BITS => {
                return Err(KeyError::TooShort {
                    bits,
                    minimum: MIN_RSA_BITS,
                });
            }
            _ => {}
        }
        let (n, e) = (URL_SAFE.encode(modulus), URL_SAFE.encode(exponent));
        let key_id = hex::encode(&Sha256::digest(format!("{n}{e}")));
        let (n, e, kid) = (n.as_str(), e.as_str(), key_id.as_str());
        Ok(Self::of(&Jwk::Rsa { n, e, kid }, &key_id))
    }

    fn of(jwk: &Jwk<'_>, key_id: &str) -> Self {
        Self {
            jwk: serde_json::to_string(jwk).unwrap_or_default(),
            key_id: key_id.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A 2048-bit key and what the Azure CLI made of it, computed apart from this code: see `generate.sh`.
    const KEY: &str = include_str!("testdata/rsa2048.pub");
    const JWK: &str = include_str!("testdata/rsa2048.jwk");

    #[test]
    fn the_request_is_what_the_azure_cli_sends() {
        let key = PublicKey::from_openssh(KEY).unwrap();
        let request = CertificateRequest::new(&key).unwrap();
        assert_eq!(request.jwk, JWK.trim());
        assert!(JWK.contains(&request.key_id));
        let wanted = Wanted::Certificate(&request);
        let fields = wanted.fields();
        assert!(fields.contains(&("token_type", "ssh-cert".into())));
        assert!(fields.contains(&("key_id", request.key_id.as_str().into())));
    }

    #[test]
    fn reject_keys_that_entra_does_not_certify() {
        let ecdsa = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBEvDqSImeffeKX8wMrdbrpIGtcDYenVpDNUQnyTrnEgglcvhojyqyug0yAOxL5+MW2rMkwsRiTvLct2N23lV9GY=";
        let error = CertificateRequest::new(&PublicKey::from_openssh(ecdsa).unwrap()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "this is not a usable key for Entra: it certifies RSA keys, and this is `ecdsa-sha2-nistp256`"
        );
        let short = PublicKey::from_openssh(include_str!("testdata/rsa1024.pub")).unwrap();
        assert_eq!(
            CertificateRequest::new(&short).unwrap_err(),
            KeyError::TooShort {
                bits: 1024,
                minimum: 2048
            }
        );
    }

    /// The key of RFC 8037, appendix A.2.
    #[test]
    fn an_ed25519_key_is_sent_as_the_standard_has_it() {
        let key =
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINdamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea";
        let request = CertificateRequest::new(&PublicKey::from_openssh(key).unwrap()).unwrap();
        assert_eq!(
            request.jwk,
            format!(
                r#"{{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":"{}"}}"#,
                request.key_id
            )
        );
        assert_eq!(request.key_id.len(), 64);
    }

    #[test]
    fn a_token_for_resource_manager_carries_no_key() {
        assert!(
            Wanted::Token(Application::ResourceManager)
                .fields()
                .iter()
                .all(|(name, _)| *name != "req_cnf")
        );
    }
}
