use std::time::Duration;

use serde::Deserialize;
use url::Url;

use super::reply::{read_refusal, read_tokens, unintelligible};
use super::{Application, EntraError, Prompt, Tokens, Wanted, endpoint};
use crate::cloud::{Cloud, has_credentials};
use crate::host::clock::Clock;
use crate::host::http::{Http, HttpError, Reply};
use crate::ids::TenantId;
use crate::line::Line;
use crate::secret::Secret;
use crate::time::UnixTime;

/// The interval of RFC 8628, section 3.2, for a server that names none.
const DEFAULT_INTERVAL: Duration = Duration::from_secs(5);
/// The shortest interval, whatever the server says.
const MIN_INTERVAL: Duration = Duration::from_secs(1);
/// The longest interval, whatever the server says.
const MAX_INTERVAL: Duration = Duration::from_secs(60);
/// How many requests in a row may fail to reach the server.
const MAX_UNREACHABLE: u32 = 5;
/// What `slow_down` adds (RFC 8628, section 3.5).
const SLOW_DOWN: Duration = Duration::from_secs(5);
/// How long to wait for a code at most, whatever the server says.
const MAX_LIFETIME: Duration = Duration::from_secs(30 * 60);

/// A device code sign-in in progress (RFC 8628).
#[derive(Debug)]
pub(crate) struct DeviceCode {
    url: Url,
    application: Application,
    claims: String,
    secret: Secret,
    user_code: Line,
    verification_uri: Url,
    interval: Duration,
    lifetime: Duration,
    deadline: UnixTime,
}

/// What to do next.
#[derive(Debug)]
pub(crate) enum Step {
    /// The user has signed in.
    SignedIn(Box<Tokens>),
    /// Ask again after this pause.
    Wait(Duration),
}

#[derive(Deserialize)]
struct Grant {
    device_code: String,
    user_code: Line,
    verification_uri: Line,
    expires_in: u64,
    interval: Option<u64>,
}

impl DeviceCode {
    /// Reads the reply of the device authorization endpoint to a request with this prompt; `token_url` is the endpoint to
    /// poll.
    ///
    /// # Errors
    /// [`EntraError::Refused`], [`EntraError::Unintelligible`], or [`EntraError::UnsafePage`].
    pub(crate) fn from_reply(
        now: UnixTime,
        token_url: Url,
        prompt: Prompt<'_>,
        reply: &Reply,
    ) -> Result<Self, EntraError> {
        if reply.status != 200 {
            return Err(read_refusal(&token_url, reply));
        }
        let body: Grant =
            serde_json::from_slice(&reply.body).map_err(|_| unintelligible(&token_url, reply))?;
        let lifetime = Duration::from_secs(body.expires_in).min(MAX_LIFETIME);
        Ok(Self {
            url: token_url,
            application: prompt.application,
            claims: prompt.claims_parameter(),
            secret: Secret::new(body.device_code),
            user_code: body.user_code,
            verification_uri: sign_in_page(&body.verification_uri)?,
            interval: body
                .interval
                .map_or(DEFAULT_INTERVAL, Duration::from_secs)
                .clamp(MIN_INTERVAL, MAX_INTERVAL),
            lifetime,
            deadline: now.after(lifetime),
        })
    }

    /// Returns the code that the user enters.
    #[must_use]
    pub(crate) fn user_code(&self) -> &str {
        &self.user_code
    }

    /// Returns the page where the user enters it.
    #[must_use]
    pub(crate) const fn verification_uri(&self) -> &Url {
        &self.verification_uri
    }

    /// Returns how long the code is valid.
    #[must_use]
    pub(crate) const fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// Reads a reply of the token endpoint.
    ///
    /// # Errors
    /// [`EntraError::DeviceCodeExpired`] once the code has expired; [`EntraError::Refused`] if the user declined or Entra refused.
    pub(crate) fn on_reply(&mut self, now: UnixTime, reply: &Reply) -> Result<Step, EntraError> {
        let refusal = match read_tokens(&self.url, reply, Wanted::Token(self.application)) {
            Ok(tokens) => return Ok(Step::SignedIn(Box::new(tokens))),
            Err(EntraError::Refused(refusal)) => refusal,
            Err(error) => return Err(error),
        };
        match refusal.error.as_str() {
            "authorization_pending" => {}
            "slow_down" => self.interval += SLOW_DOWN,
            "expired_token" => return Err(self.expired()),
            _ => return Err(EntraError::Refused(refusal)),
        }
        if now.after(self.interval) >= self.deadline {
            return Err(self.expired());
        }
        Ok(Step::Wait(self.interval))
    }

    fn expired(&self) -> EntraError {
        EntraError::DeviceCodeExpired {
            minutes: self.lifetime.as_secs() / 60,
        }
    }
}

/// Parses the address of the page for the code. Only https proves that it is the right page, and a user name in the address
/// would disguise another (`https://microsoft.com@evil.example`).
fn sign_in_page(text: &Line) -> Result<Url, EntraError> {
    Url::parse(text)
        .ok()
        .filter(|url| url.scheme() == "https" && !has_credentials(url))
        .ok_or_else(|| EntraError::UnsafePage {
            address: text.clone(),
        })
}

/// Begins a device code sign-in; the tokens will be for the application of the prompt.
///
/// # Errors
/// [`EntraError`].
pub(crate) async fn begin_device_code(
    http: &Http,
    clock: &dyn Clock,
    cloud: &Cloud,
    tenant: &TenantId,
    prompt: Prompt<'_>,
) -> Result<DeviceCode, EntraError> {
    let (scope, claims) = (prompt.scope(cloud), prompt.claims_parameter());
    let form = [
        ("client_id", cloud.client_id.as_str()),
        ("scope", &scope),
        ("claims", &claims),
    ];
    let reply = http
        .post_form(&endpoint(cloud, tenant, "devicecode"), &form)
        .await?;
    let token_url = endpoint(cloud, tenant, "token");
    DeviceCode::from_reply(clock.now(), token_url, prompt, &reply)
}

/// Waits until the user has entered the code.
///
/// # Errors
/// [`EntraError`].
pub(crate) async fn wait_for_device_code(
    http: &Http,
    clock: &dyn Clock,
    cloud: &Cloud,
    mut flow: DeviceCode,
    sleep: impl AsyncFn(Duration),
) -> Result<Tokens, EntraError> {
    let (mut pause, mut unreachable) = (flow.interval, 0);
    loop {
        sleep(pause).await;
        let form = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
            ("client_id", cloud.client_id.as_str()),
            ("device_code", flow.secret.expose()),
            ("claims", &flow.claims),
            ("client_info", "1"),
        ];
        let reply = match http.post_form(&flow.url, &form).await {
            Ok(reply) => reply,
            // The user goes on in the browser meanwhile.
            Err(HttpError::Unreachable { .. }) if unreachable < MAX_UNREACHABLE => {
                unreachable += 1;
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        unreachable = 0;
        match flow.on_reply(clock.now(), &reply)? {
            Step::SignedIn(tokens) => return Ok(*tokens),
            Step::Wait(next) => pause = next,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGIN: &str = r#"{"device_code":"d","user_code":"ABCD-EFGH","verification_uri":"https://microsoft.com/devicelogin",
        "expires_in":900,"interval":5,"message":"…"}"#;

    fn reply(status: u16, body: &str) -> Reply {
        Reply {
            status,
            body: body.as_bytes().to_vec().into(),
            ..Reply::default()
        }
    }

    fn error(name: &str) -> Reply {
        reply(
            400,
            &format!(r#"{{"error":"{name}","error_description":"AADSTS1: x"}}"#),
        )
    }

    fn at(seconds: u64) -> UnixTime {
        UnixTime::from_seconds(1_000_000 + seconds)
    }

    fn flow() -> DeviceCode {
        let url = Url::parse("https://login.example/token").unwrap();
        DeviceCode::from_reply(at(0), url, Prompt::first(), &reply(200, BEGIN)).unwrap()
    }

    #[test]
    fn pending_waits_and_slow_down_waits_longer() {
        let mut flow = flow();
        for (name, seconds) in [
            ("authorization_pending", 5),
            ("slow_down", 10),
            ("authorization_pending", 10),
        ] {
            let step = flow.on_reply(at(5), &error(name)).unwrap();
            assert!(
                matches!(step, Step::Wait(pause) if pause.as_secs() == seconds),
                "{name}"
            );
        }
    }

    #[test]
    fn reject_a_page_that_is_not_https_or_only_looks_like_another() {
        let url = Url::parse("https://login.example/token").unwrap();
        for page in [
            "http://microsoft.com/devicelogin",
            "https://microsoft.com@evil.example/devicelogin",
            "microsoft.com/devicelogin",
            "file:///etc/passwd",
            "",
        ] {
            let body = BEGIN.replace("https://microsoft.com/devicelogin", page);
            let begun =
                DeviceCode::from_reply(at(0), url.clone(), Prompt::first(), &reply(200, &body));
            assert_eq!(
                begun.unwrap_err().to_string(),
                format!("Entra's page for entering the code is not an https address: `{page}`")
            );
        }
    }

    #[test]
    fn what_is_shown_of_a_code_and_its_page_stays_on_its_line() {
        let body = BEGIN
            .replace("ABCD-EFGH", r"AB\u001b[2J\nhint: run evil")
            .replace("/devicelogin", r"/\u001b[2J\u202e");
        let url = Url::parse("https://login.example/token").unwrap();
        let flow = DeviceCode::from_reply(at(0), url, Prompt::first(), &reply(200, &body)).unwrap();
        assert_eq!(flow.user_code(), "AB\u{fffd}[2J hint: run evil");
        assert!(flow.verification_uri().as_str().is_ascii());
        assert!(!flow.verification_uri().as_str().contains('\u{1b}'));
    }

    #[test]
    fn tokens_end_the_wait() {
        let body =
            r#"{"token_type":"Bearer","access_token":"t","expires_in":3600,"refresh_token":"r"}"#;
        let step = flow().on_reply(at(5), &reply(200, body)).unwrap();
        assert!(matches!(step, Step::SignedIn(tokens) if tokens.refresh_token.is_some()));
    }

    #[test]
    fn time_is_up_at_the_deadline_though_the_server_says_pending() {
        let refusal = flow()
            .on_reply(at(896), &error("authorization_pending"))
            .unwrap_err();
        assert_eq!(
            refusal.to_string(),
            "the code was not entered within 15 minutes"
        );
        assert!(matches!(
            flow().on_reply(at(5), &error("expired_token")),
            Err(EntraError::DeviceCodeExpired { minutes: 15 })
        ));
    }

    #[test]
    fn a_person_who_declines_ends_the_wait() {
        assert!(matches!(
            flow().on_reply(at(5), &error("authorization_declined")),
            Err(EntraError::Refused(_))
        ));
    }
}
