//! Azure Resource Manager: finding machines, and what leads to them: relay credentials, or addresses.
//!
//! Requests go through the pipeline of `azure_core`, above our own client, which retries within a budget and honours
//! `Retry-After`. Replies are read here, since a refusal tells the user half of what to do.

mod addresses;
mod error;
mod machines;
mod network_resource;
mod power_state;
mod refusal;
mod relay_credentials;
mod tenants;

use azure_core::Bytes;
use azure_core::http::headers::{AUTHORIZATION, CONTENT_TYPE};
use azure_core::http::{Context, Method, Pipeline, PipelineSendOptions, Request, StatusCode, Url};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub(crate) use self::addresses::VmAddresses;
pub(crate) use self::error::{Action, AzureError, RefusalReason};
pub(crate) use self::power_state::PowerState;
pub(crate) use self::relay_credentials::RelayCredentials;
pub(crate) use self::tenants::tenant_of_subscription;

use self::refusal::Refusal;
use crate::cloud::Cloud;
use crate::host::http::Http;
use crate::ids::ResourceId;
use crate::secret::Secret;

/// The longest challenge whose claims are read, in bytes.
const MAX_CHALLENGE_BYTES: usize = 16 * 1024;

/// Azure Resource Manager, for one signed-in account.
#[derive(Debug)]
pub struct ResourceManager {
    pipeline: Pipeline,
    base: Url,
    token: Secret,
}

/// A reply, whatever its status.
struct Reply {
    status: StatusCode,
    tenant: Option<String>,
    claims: Option<String>,
    body: Bytes,
}

impl ResourceManager {
    /// Opens Azure Resource Manager with a bearer token for it.
    #[must_use]
    pub fn new(http: &Http, cloud: &Cloud, token: Secret) -> Self {
        Self {
            pipeline: Pipeline::new(
                Some("entra-ssh"),
                Some(env!("CARGO_PKG_VERSION")),
                http.to_client_options(),
                Vec::new(),
                Vec::new(),
                None,
            ),
            base: cloud.resource_manager.clone(),
            token,
        }
    }

    /// Returns the address of a path below Azure Resource Manager; the path holds nothing that needs escaping.
    fn url(&self, path: &str, query: &[(&str, &str)]) -> Url {
        address(&self.base, path, query)
    }

    async fn send(
        &self,
        method: Method,
        url: Url,
        body: Option<&impl Serialize>,
    ) -> Result<Reply, AzureError> {
        let mut request = Request::new(url, method);
        request.insert_header(AUTHORIZATION, format!("Bearer {}", self.token.expose()));
        if let Some(body) = body {
            request.insert_header(CONTENT_TYPE, "application/json");
            request.set_json(body).map_err(AzureError::Unreachable)?;
        } else if method == Method::Post {
            request.insert_header("content-length".to_owned(), "0");
        }
        let options = PipelineSendOptions {
            skip_checks: true,
            ..PipelineSendOptions::default()
        };
        let response = self
            .pipeline
            .send(&Context::new(), &mut request, Some(options))
            .await
            .map_err(AzureError::Unreachable)?;
        let (status, headers, body) = response.deconstruct();
        let challenge = headers.get_optional_str(&"www-authenticate".into());
        Ok(Reply {
            status,
            tenant: challenge.and_then(tenant_of_challenge),
            claims: challenge.and_then(claims_of_challenge),
            body: body.into(),
        })
    }
}

impl Reply {
    fn json<T: DeserializeOwned>(&self, action: Action, about: &str) -> Result<T, AzureError> {
        if !self.status.is_success() {
            return Err(self.refused(action, about));
        }
        serde_json::from_slice(&self.body).map_err(|source| AzureError::Unintelligible {
            action,
            about: about.to_owned(),
            source,
        })
    }

    fn refused(&self, action: Action, about: &str) -> AzureError {
        let challenge = (self.tenant.as_deref(), self.claims.as_deref());
        Refusal::parse(&self.body).into_error(self.status.into(), challenge, action, about)
    }
}

/// Returns the address of a path below a base, which may have a path of its own.
fn address(base: &Url, path: &str, query: &[(&str, &str)]) -> Url {
    let mut url = base.clone();
    let base = url.path().trim_end_matches('/').to_owned();
    url.set_path(&format!("{base}{path}"));
    url.query_pairs_mut().clear().extend_pairs(query);
    url
}

/// Returns the tenant that a 401 names: `Bearer authorization_uri="{authority}/{tenant}", …`.
fn tenant_of_challenge(challenge: &str) -> Option<String> {
    let (_, rest) = challenge.split_once("authorization_uri=\"")?;
    let (uri, _) = rest.split_once('"')?;
    uri.trim_end_matches('/')
        .rsplit('/')
        .next()
        .map(str::to_owned)
}

/// Returns the claims, in JSON, that a 401 asks for: `Bearer …, error="insufficient_claims", claims="{base64}"`.
///
/// <https://learn.microsoft.com/entra/identity-platform/claims-challenge>
fn claims_of_challenge(challenge: &str) -> Option<String> {
    if !challenge.contains("error=\"insufficient_claims\"") {
        return None;
    }
    let (_, rest) = challenge
        .split_once("claims=\"")
        .filter(|_| challenge.len() <= MAX_CHALLENGE_BYTES)?;
    // `claims="` does not occur in `error="insufficient_claims"`, whose quote closes.
    let (encoded, _) = rest.split_once('"')?;
    let encoded = encoded.trim_end_matches('=');
    let decoded = STANDARD_NO_PAD
        .decode(encoded)
        .or_else(|_| URL_SAFE_NO_PAD.decode(encoded))
        .ok()?;
    let text = String::from_utf8(decoded).ok()?;
    let is_object =
        serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&text).is_ok();
    is_object.then_some(text)
}

/// Returns the resource ID with a path below it.
fn below(machine: &ResourceId, path: &str) -> String {
    format!("{machine}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tenant_is_read_from_a_challenge() {
        let challenge = r#"Bearer authorization_uri="https://login.windows.net/72f988bf", error="invalid_token""#;
        assert_eq!(tenant_of_challenge(challenge).as_deref(), Some("72f988bf"));
        assert_eq!(tenant_of_challenge("Bearer"), None);
    }

    #[test]
    fn the_claims_are_read_from_a_challenge_that_asks_for_them() {
        let claims = r#"{"access_token":{"nbf":{"essential":true,"value":"1"}}}"#;
        let encoded = STANDARD_NO_PAD.encode(claims);
        let challenge = |error: &str, encoded: &str| {
            format!(
                r#"Bearer realm="", authorization_uri="https://login.example/common", error="{error}", claims="{encoded}""#
            )
        };
        let padded = format!("{encoded}=");
        for encoded in [&encoded, &padded] {
            let found = claims_of_challenge(&challenge("insufficient_claims", encoded));
            assert_eq!(found.as_deref(), Some(claims));
        }
        for (error, encoded) in [
            ("invalid_token", encoded.as_str()),
            ("insufficient_claims", "!"),
            ("insufficient_claims", "aGVsbG8"),
            ("insufficient_claims", &"a".repeat(MAX_CHALLENGE_BYTES)),
        ] {
            assert_eq!(
                claims_of_challenge(&challenge(error, encoded)),
                None,
                "{error}"
            );
        }
    }
}
