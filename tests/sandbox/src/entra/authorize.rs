//! The authorization code grant with PKCE: RFC 6749, section 4.1, and RFC 7636.

use super::device_code::check_membership;
use super::error::EntraError;
use super::issue::client_info;
use super::scope::Scope;
use super::{catalogue, check_public_client, page, step_up, tenant, tenant_of_user};
use crate::clock::unix_now;
use crate::encoding::{base64url, percent_encode, random_bytes, sha256};
use crate::fault::Fault;
use crate::http::{Fields, Reply, Request};
use crate::world::{World, lock};

/// A code is good for this many seconds.
const CODE_LIFETIME_SECONDS: u64 = 600;
/// Where people who have no browser here read their code from the address bar.
const NATIVE_CLIENT: &str = "https://login.microsoftonline.com/common/oauth2/nativeclient";

/// What a code stands for.
#[derive(Clone, Debug)]
pub(crate) struct AuthorizationCode {
    client_id: String,
    redirect_uri: String,
    challenge: String,
    scope: String,
    upn: String,
    tenant: String,
    nonce: Option<String>,
    claims: Option<String>,
    expires: u64,
    redeemed: bool,
}

/// What a redeemed code is worth.
pub(crate) struct Redeemed {
    pub(crate) upn: String,
    pub(crate) tenant: String,
    pub(crate) scope: String,
    pub(crate) nonce: Option<String>,
    pub(crate) stepped_up: bool,
}

/// `GET /{tenant}/oauth2/v2.0/authorize`
pub(crate) fn page(world: &World, request: &Request, name: &str) -> Reply {
    match check(world, request, name) {
        Ok(_) => page::choose_user(world, "Choose who signs in", ""),
        Err(refusal) => refusal.reply(),
    }
}

/// `POST /{tenant}/oauth2/v2.0/authorize`, from a button of the page
pub(crate) fn answer(world: &World, request: &Request, name: &str) -> Result<Reply, EntraError> {
    let form = request.form();
    let asked = match check(world, request, name) {
        Ok(asked) => asked,
        Err(refusal) => return Ok(refusal.reply()),
    };
    if let Some((refusal, on_page)) = take_fault(world) {
        return Ok(if on_page {
            Refusal::OnPage(refusal).reply()
        } else {
            asked.back(asked.error_fields(&refusal))
        });
    }
    let Some(upn) = form
        .value("upn")
        .filter(|_| form.value("decline").is_none())
    else {
        let declined = EntraError::new(
            "access_denied",
            65_004,
            "User declined to consent to access the app.",
        );
        return Ok(asked.back(asked.error_fields(&declined)));
    };
    let user = world.user(upn).ok_or_else(|| {
        EntraError::invalid_grant(
            50_034,
            format!("The user account {upn} does not exist in the directory."),
        )
    })?;
    let tenant = tenant_of_user(tenant(world, name)?, user);
    if let Err(refusal) = check_membership(user, &tenant) {
        return Ok(asked.back(asked.error_fields(&refusal)));
    }
    let code = base64url(random_bytes::<48>());
    let mut fields = vec![("code".to_owned(), code.clone())];
    if request.query.value("client_info") == Some("1") {
        fields.push(("client_info".to_owned(), client_info(user)));
    }
    fields.extend(asked.state_field());
    fields.push(("session_state".to_owned(), uuid::Uuid::new_v4().to_string()));
    lock(&world.entra).authorization_codes.insert(
        code,
        AuthorizationCode {
            client_id: asked.client_id.clone(),
            redirect_uri: asked.redirect_uri.clone(),
            challenge: asked.challenge.clone(),
            scope: asked.scope.clone(),
            upn: user.upn.clone(),
            tenant,
            nonce: request.query.value("nonce").map(str::to_owned),
            claims: request.query.value("claims").map(str::to_owned),
            expires: unix_now() + CODE_LIFETIME_SECONDS,
            redeemed: false,
        },
    );
    Ok(asked.back(fields))
}

/// Returns the refusal that was asked for, and whether it is told on the page.
fn take_fault(world: &World) -> Option<(EntraError, bool)> {
    let fault = world
        .faults
        .take(|fault| matches!(fault, Fault::Authorize { .. }))?;
    let Fault::Authorize {
        aadsts,
        error,
        description,
        on_page,
    } = fault
    else {
        return None;
    };
    let mut refusal = catalogue::refusal(aadsts);
    if !error.is_empty() {
        refusal = EntraError::new(&error, aadsts, description);
    }
    Some((refusal, on_page))
}

/// Redeems a code at the token endpoint, once.
pub(crate) fn redeem(
    world: &World,
    form: &Fields,
    client_id: &str,
) -> Result<Redeemed, EntraError> {
    let field = |name| form.value(name).ok_or_else(|| EntraError::missing(name));
    let name = field("code")?;
    let redirect_uri = field("redirect_uri")?;
    let mut state = lock(&world.entra);
    let code = state
        .authorization_codes
        .get_mut(name)
        .filter(|code| code.client_id.eq_ignore_ascii_case(client_id))
        .ok_or_else(|| {
            EntraError::invalid_grant(
                9_002_313,
                "Invalid request. Request is malformed or invalid.",
            )
        })?;
    if code.redeemed {
        return Err(EntraError::invalid_grant(
            54_005,
            "OAuth2 Authorization code was already redeemed, please retry with a new valid code \
             or use an existing refresh token.",
        ));
    }
    if unix_now() >= code.expires {
        return Err(EntraError::invalid_grant(
            70_008,
            "The provided authorization code or refresh token has expired due to inactivity. \
             Send a new interactive authorization request for this user and resource.",
        ));
    }
    if code.redirect_uri != redirect_uri {
        return Err(EntraError::invalid_grant(
            500_112,
            format!(
                "The reply address '{redirect_uri}' does not match the reply address '{}' \
                 provided when requesting Authorization code.",
                code.redirect_uri
            ),
        ));
    }
    let verifier = form.value("code_verifier").unwrap_or_default();
    if !(43..=128).contains(&verifier.len())
        || base64url(sha256(verifier.as_bytes())) != code.challenge
    {
        return Err(EntraError::invalid_grant(
            501_481,
            "The Code_Verifier does not match the code_challenge supplied in the authorization \
             request.",
        ));
    }
    code.redeemed = true;
    Ok(Redeemed {
        upn: code.upn.clone(),
        tenant: code.tenant.clone(),
        scope: code.scope.clone(),
        nonce: code.nonce.clone(),
        stepped_up: step_up::answers(code.claims.as_deref(), &code.scope, &world.addresses.cloud),
    })
}

/// A request for a code that may be answered.
struct Asked {
    client_id: String,
    redirect_uri: String,
    challenge: String,
    scope: String,
    state: Option<String>,
    by_form: bool,
}

/// Why there will be no code: told on a page, or to the client.
enum Refusal {
    OnPage(EntraError),
    ToClient(Box<(Asked, EntraError)>),
}

impl Refusal {
    fn reply(self) -> Reply {
        match self {
            Self::OnPage(error) => page::message(
                400,
                "Sorry, but we're having trouble signing you in",
                &error.text(),
            ),
            Self::ToClient(refusal) => refusal.0.back(refusal.0.error_fields(&refusal.1)),
        }
    }
}

impl Asked {
    fn state_field(&self) -> Option<(String, String)> {
        let state = self.state.clone()?;
        Some(("state".to_owned(), state))
    }

    fn error_fields(&self, error: &EntraError) -> Vec<(String, String)> {
        let mut fields = vec![
            ("error".to_owned(), error.error.clone()),
            ("error_description".to_owned(), error.text_with_trace()),
            (
                "error_uri".to_owned(),
                format!(
                    "https://login.microsoftonline.com/error?code={}",
                    error.aadsts
                ),
            ),
        ];
        fields.extend(self.state_field());
        fields
    }

    /// Sends the browser back to the client.
    fn back(&self, fields: Vec<(String, String)>) -> Reply {
        if self.by_form {
            return page::self_posting_form(&self.redirect_uri, &fields);
        }
        let query: Vec<String> = fields
            .into_iter()
            .map(|(name, value)| format!("{name}={}", percent_encode(&value)))
            .collect();
        let separator = if self.redirect_uri.contains('?') {
            '&'
        } else {
            '?'
        };
        Reply::empty(302).with(
            "Location",
            format!("{}{separator}{}", self.redirect_uri, query.join("&")),
        )
    }
}

/// Checks everything that is known before somebody signs in.
fn check(world: &World, request: &Request, name: &str) -> Result<Asked, Refusal> {
    let query = &request.query;
    tenant(world, name).map_err(Refusal::OnPage)?;
    let field = |name| {
        query
            .value(name)
            .ok_or_else(|| Refusal::OnPage(EntraError::missing(name)))
    };
    let client_id = field("client_id")?;
    check_public_client(client_id).map_err(Refusal::OnPage)?;
    let redirect_uri = field("redirect_uri")?;
    if !redirect_allowed(&world.addresses.cloud, redirect_uri) {
        return Err(Refusal::OnPage(EntraError::invalid_request(
            50_011,
            format!(
                "The redirect URI '{redirect_uri}' specified in the request does not match the \
                 redirect URIs configured for the application '{client_id}'."
            ),
        )));
    }
    let asked = Asked {
        client_id: client_id.to_owned(),
        redirect_uri: redirect_uri.to_owned(),
        challenge: query.value("code_challenge").unwrap_or_default().to_owned(),
        scope: query.value("scope").unwrap_or_default().to_owned(),
        state: query.value("state").map(str::to_owned),
        by_form: query.value("response_mode") == Some("form_post"),
    };
    match check_for_client(world, query, &asked) {
        Ok(()) => Ok(asked),
        Err(error) => Err(Refusal::ToClient(Box::new((asked, error)))),
    }
}

/// Checks what the client is told about, as its redirect URI is known to be right.
fn check_for_client(world: &World, query: &Fields, asked: &Asked) -> Result<(), EntraError> {
    if query.value("response_type") != Some("code") {
        return Err(EntraError::new(
            "unsupported_response_type",
            70_003,
            "The response_type is not supported, only 'code' is.",
        ));
    }
    if query.value("code_challenge_method") != Some("S256") || asked.challenge.len() != 43 {
        return Err(EntraError::invalid_request(
            9_002_325,
            "Proof Key for Code Exchange is required for cross-origin authorization code \
             redemption; the sandbox takes 'S256' alone.",
        ));
    }
    Scope::parse(&asked.scope, &world.addresses.cloud).map(drop)
}

/// Loopback on any port, or the page for clients without a browser of their own.
fn redirect_allowed(authority: &str, redirect_uri: &str) -> bool {
    if redirect_uri == NATIVE_CLIENT
        || redirect_uri == format!("{authority}/common/oauth2/nativeclient")
    {
        return true;
    }
    let Some(rest) = redirect_uri.strip_prefix("http://") else {
        return false;
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    ["localhost", "127.0.0.1", "[::1]"].iter().any(|loopback| {
        host.strip_prefix(loopback).is_some_and(|port| {
            port.is_empty()
                || port
                    .strip_prefix(':')
                    .is_some_and(|port| port.parse::<u16>().is_ok())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::redirect_allowed;

    #[test]
    fn only_loopback_and_native_client_addresses_get_codes() {
        let allowed = |uri| redirect_allowed("https://localhost:8443", uri);
        assert!(allowed("http://localhost:1234/"));
        assert!(allowed("http://localhost"));
        assert!(allowed("http://127.0.0.1:80/x?y"));
        assert!(allowed("http://[::1]:9"));
        assert!(allowed("https://localhost:8443/common/oauth2/nativeclient"));
        assert!(!allowed("http://localhost.example/"));
        assert!(!allowed("http://localhost:99999/"));
        assert!(!allowed("https://localhost:1234/"));
        assert!(!allowed("http://evil.example/"));
    }
}
