use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use url::Url;

use super::{EntraError, Refusal, Wanted};
use crate::host::http::Reply;
use crate::ids::{Account, TenantId};
use crate::line::Line;
use crate::secret::Secret;

/// A successful reply of a token endpoint.
#[derive(Clone, Debug)]
pub struct Tokens {
    /// The bearer token (RFC 6750), or the certificate in base64, as requested and confirmed by `token_type`.
    pub access_token: Secret,
    /// How long it is valid.
    pub expires_in: Duration,
    /// Acquires the next token; sign-ins of users have one.
    pub refresh_token: Option<Secret>,
    /// Who signed in; sign-ins of users say so.
    pub identity: Option<Identity>,
}

/// Who signed in, according to the ID token.
///
/// The token's signature is not checked: it came over TLS from the token endpoint itself (`OpenID` Connect Core, section
/// 3.1.3.7), and decides only the names that are shown and stored.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Identity {
    /// The tenant that the user signed in to.
    pub tenant: TenantId,
    pub account: Account,
}

#[derive(Deserialize)]
struct TokenBody {
    token_type: String,
    access_token: String,
    #[serde(default)]
    expires_in: u64,
    refresh_token: Option<String>,
    id_token: Option<String>,
}

#[derive(Deserialize)]
struct ErrorBody {
    error: Line,
    #[serde(default)]
    error_description: String,
    #[serde(default)]
    error_codes: Vec<u32>,
    correlation_id: Option<Line>,
    timestamp: Option<String>,
    claims: Option<String>,
}

#[derive(Deserialize)]
struct IdTokenClaims {
    tid: String,
    preferred_username: Option<String>,
    upn: Option<String>,
    email: Option<String>,
}

/// Reads the reply of a token endpoint to a request for `wanted`.
pub(super) fn read_tokens(
    url: &Url,
    reply: &Reply,
    wanted: Wanted<'_>,
) -> Result<Tokens, EntraError> {
    if reply.status != 200 {
        return Err(read_refusal(url, reply));
    }
    let body: TokenBody =
        serde_json::from_slice(&reply.body).map_err(|_| unintelligible(url, reply))?;
    let access_token = Secret::new(body.access_token);
    let (token_type, expected) = match wanted {
        Wanted::Certificate(_) => ("ssh-cert", "an SSH certificate (`ssh-cert`)"),
        Wanted::Token(_) | Wanted::TokenWithClaims(_) => ("bearer", "a bearer token"),
    };
    if !body.token_type.eq_ignore_ascii_case(token_type) {
        return Err(EntraError::WrongTokenType {
            expected,
            given: body.token_type.into(),
        });
    }
    Ok(Tokens {
        access_token,
        expires_in: Duration::from_secs(body.expires_in),
        refresh_token: body.refresh_token.map(Secret::new),
        identity: body.id_token.as_deref().and_then(read_identity),
    })
}

/// Reads a refusal; any other body is [`EntraError::Unintelligible`].
pub(super) fn read_refusal(url: &Url, reply: &Reply) -> EntraError {
    let Ok(body) = serde_json::from_slice::<ErrorBody>(&reply.body) else {
        return unintelligible(url, reply);
    };
    let code = body.error_codes.first().copied();
    let mut refusal = Refusal::new(body.error, code, &body.error_description);
    refusal.correlation_id = body.correlation_id;
    refusal.timestamp = body.timestamp;
    refusal.claims = body.claims;
    EntraError::Refused(Box::new(refusal))
}

pub(super) fn unintelligible(url: &Url, reply: &Reply) -> EntraError {
    EntraError::Unintelligible {
        host: url.authority().to_owned(),
        status: reply.status,
    }
}

fn read_identity(id_token: &str) -> Option<Identity> {
    let payload = id_token.split('.').nth(1)?;
    let json = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    let claims: IdTokenClaims = serde_json::from_slice(&json).ok()?;
    let account = claims.preferred_username.or(claims.upn).or(claims.email)?;
    Some(Identity {
        tenant: claims.tid.parse().ok()?,
        account: account.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::super::Application;
    use super::*;

    fn reply(status: u16, body: &str) -> Reply {
        Reply {
            status,
            body: body.as_bytes().to_vec().into(),
            ..Reply::default()
        }
    }

    fn url() -> Url {
        Url::parse("https://login.example/t/oauth2/v2.0/token").unwrap()
    }

    #[test]
    fn a_refusal_keeps_what_support_and_the_next_request_need() {
        let body = r#"{"error":"interaction_required","error_description":"AADSTS50076: Use MFA. Trace ID: 1 Correlation ID: 2",
            "error_codes":[50076],"timestamp":"2026-01-01 00:00:00Z","trace_id":"1","correlation_id":"2","claims":"{}"}"#;
        let EntraError::Refused(refusal) = read_refusal(&url(), &reply(400, body)) else {
            panic!("no refusal");
        };
        assert_eq!(refusal.to_string(), "Entra refused (AADSTS50076): Use MFA.");
        assert_eq!(refusal.correlation_id.as_deref(), Some("2"));
        assert_eq!(refusal.claims.as_deref(), Some("{}"));
        assert_eq!(refusal.remedy(), Some(super::super::Remedy::Answer));
    }

    #[test]
    fn reject_a_bearer_token_where_a_certificate_was_asked_for() {
        let key = crate::certificate::PublicKey::from_openssh(include_str!("testdata/rsa2048.pub"))
            .unwrap();
        let request = super::super::CertificateRequest::new(&key).unwrap();
        let body = r#"{"token_type":"Bearer","expires_in":3599,"access_token":"eyJ"}"#;
        let error =
            read_tokens(&url(), &reply(200, body), Wanted::Certificate(&request)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "expected an SSH certificate (`ssh-cert`) from Entra, and got a token of the type `Bearer`"
        );
    }

    #[test]
    fn a_page_of_a_captive_portal_is_not_taken_for_an_answer() {
        let error = read_tokens(
            &url(),
            &reply(200, "<html>"),
            Wanted::Token(Application::Ssh),
        )
        .unwrap_err();
        assert_eq!(
            error.to_string(),
            "`login.example` did not answer like a token endpoint (HTTP status 200)"
        );
    }

    #[test]
    fn identity_is_read_from_the_id_token() {
        let payload =
            URL_SAFE_NO_PAD.encode(r#"{"tid":"t1","preferred_username":"alice@contoso.com"}"#);
        let identity = read_identity(&format!("e30.{payload}.x")).unwrap();
        assert_eq!(identity.account.as_str(), "alice@contoso.com");
        assert_eq!(read_identity("nonsense"), None);
    }
}
