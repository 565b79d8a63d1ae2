use std::io::{self, BufRead as _, Read as _};
use std::time::Duration;

use ring::rand::{SecureRandom as _, SystemRandom};
use tokio::time::timeout;
use url::Url;

use super::super::context::Context;
use super::super::ui;
use super::{LoginArgs, SignedIn};
use crate::cloud::Cloud;
use crate::entra::{self, AuthorizationCode, EntraError, Prompt, Tokens};
use crate::failure::{Failure, FailureKind};
use crate::host::browser;
use crate::host::http::Http;
use crate::host::loopback::{Loopback, Visit};
use crate::ids::TenantId;
use crate::keyring::entry::Entry;
use crate::profile::Method;
use crate::secret::Secret;
use crate::time::Spoken;

/// How long a person may take in the browser.
const BROWSER_LIMIT: Duration = Duration::from_secs(15 * 60);
/// The longest line that is read from a terminal, in bytes.
const MAX_LINE_BYTES: u64 = 64 * 1024;

/// Signs a person in: in the browser of this machine, in any browser, or with a device code.
pub(super) async fn sign_in(
    context: &Context,
    args: &LoginArgs,
    cloud: &Cloud,
    http: &Http,
) -> Result<SignedIn, Failure> {
    if !args.device_code && !ui::is_watched() {
        return Err(Failure::new("there is no terminal to sign in at")
            .kind(FailureKind::SignInNeeded)
            .hint(
                "sign in as a service principal (entra-ssh login --help), or with --device-code",
            ));
    }
    let home: TenantId = "organizations".parse()?;
    let tenant = args.tenant.as_ref().unwrap_or(&home);
    let tokens = if args.device_code {
        with_device_code(context, cloud, http, tenant).await?
    } else {
        in_browser(context, args, cloud, http, tenant).await?
    };
    let lacks = |what: &str| {
        Failure::new(format!("Entra's reply holds no {what}"))
            .hint("check the cloud and its client ID: entra-ssh login --cloud NAME")
    };
    Ok(SignedIn {
        identity: tokens.identity.ok_or_else(|| lacks("ID token"))?,
        method: Method::Person,
        entry: Entry::RefreshToken(tokens.refresh_token.ok_or_else(|| lacks("refresh token"))?),
    })
}

async fn with_device_code(
    context: &Context,
    cloud: &Cloud,
    http: &Http,
    tenant: &TenantId,
) -> Result<Tokens, Failure> {
    let clock = context.host.clock.as_ref();
    let flow = entra::begin_device_code(http, clock, cloud, tenant).await?;
    ui::ask(&format!(
        "To sign in, open {} in a browser and enter the code {} (good for {}).",
        flow.verification_uri(),
        flow.user_code(),
        Spoken(flow.lifetime())
    ));
    let sleep = async |pause: Duration| tokio::time::sleep(pause).await;
    Ok(entra::wait_for_device_code(http, clock, cloud, flow, sleep).await?)
}

async fn in_browser(
    context: &Context,
    args: &LoginArgs,
    cloud: &Cloud,
    http: &Http,
    tenant: &TenantId,
) -> Result<Tokens, Failure> {
    let loopback = Loopback::open().await.map_err(|error| {
        Failure::new("cannot listen for the browser")
            .caused_by(&error)
            .hint(OTHER_WAY)
    })?;
    let mut random = [0; 48];
    SystemRandom::new()
        .fill(&mut random)
        .map_err(|_| Failure::new("the system gives no random numbers"))?;
    let prompt = Prompt {
        login_hint: args.login_hint.as_deref(),
    };
    let (flow, address) =
        AuthorizationCode::begin(cloud, tenant, loopback.redirect_uri(), prompt, &random);
    let is_shown = show(context, args, &address);
    let wait = async {
        tokio::select! {
            outcome = wait_for_redirect(&flow, &loopback, http, cloud) => outcome,
            outcome = wait_for_paste(&flow, http, cloud), if !is_shown && ui::can_answer() => outcome,
        }
    };
    timeout(BROWSER_LIMIT, wait).await.map_err(|_| {
        Failure::new(format!("nobody signed in within {}", Spoken(BROWSER_LIMIT))).hint(OTHER_WAY)
    })?
}

/// What to try where the browser does not help.
const OTHER_WAY: &str = "sign in with a code: entra-ssh login --device-code";

/// Opens the address in the browser, or prints it. Tells whether a browser was opened.
fn show(context: &Context, args: &LoginArgs, address: &Url) -> bool {
    let browser = if args.no_browser {
        None
    } else {
        browser::find(&context.host.env)
    };
    if browser.is_some_and(|browser| browser::open(&browser, address.as_str()).is_ok()) {
        ui::ask(&format!(
            "Sign in in the browser that has opened. If none has, open this address:\n{address}"
        ));
        return true;
    }
    ui::ask(&format!(
        "To sign in, open this address in a browser:\n{address}\n\
         If it ends at a page that cannot be reached, paste that page's address here:"
    ));
    false
}

async fn wait_for_redirect(
    flow: &AuthorizationCode,
    loopback: &Loopback,
    http: &Http,
    cloud: &Cloud,
) -> Result<Tokens, Failure> {
    loop {
        let visit = loopback.visit().await.map_err(|error| {
            Failure::new("cannot listen for the browser")
                .caused_by(&error)
                .hint(OTHER_WAY)
        })?;
        let outcome = match flow.on_redirect(visit.query()) {
            Ok(Some(code)) => flow.redeem(http, cloud, &code).await,
            Ok(None) => {
                let sentence = "This page belongs to another sign-in. Go back to the terminal and start again.";
                visit
                    .show("400 Bad Request", "Not signed in", sentence)
                    .await;
                continue;
            }
            Err(error) => Err(error),
        };
        return tell(visit, outcome).await;
    }
}

async fn tell(visit: Visit, outcome: Result<Tokens, EntraError>) -> Result<Tokens, Failure> {
    match outcome {
        Ok(tokens) => {
            let who = tokens.identity.as_ref().map_or(String::new(), |identity| {
                format!(" as {}", identity.account)
            });
            let sentence = format!("You are signed in{who}. You can close this page.");
            visit.show("200 OK", "Signed in", &sentence).await;
            Ok(tokens)
        }
        Err(error) => {
            let failure = Failure::from(error);
            let sentence = format!(
                "{}. The terminal says what to do; you can close this page.",
                failure.error.trim_end_matches('.')
            );
            visit.show("200 OK", "Not signed in", &sentence).await;
            Err(failure)
        }
    }
}

/// Waits for the address of the page that the browser could not reach, or the code alone.
async fn wait_for_paste(
    flow: &AuthorizationCode,
    http: &Http,
    cloud: &Cloud,
) -> Result<Tokens, Failure> {
    loop {
        let line = tokio::task::spawn_blocking(read_line).await;
        let line =
            line.map_err(|error| Failure::new("cannot read from the terminal").caused_by(&error))?;
        let Some(line) = line else {
            // The terminal was closed, and the browser may still come.
            return std::future::pending().await;
        };
        let pasted = line.trim();
        let code = match Url::parse(pasted) {
            Ok(address) => flow.on_redirect(address.query().unwrap_or_default())?,
            Err(_) if pasted.is_empty() || pasted.contains(char::is_whitespace) => None,
            Err(_) => Some(Secret::new(pasted.to_owned())),
        };
        match code {
            Some(code) => return Ok(flow.redeem(http, cloud, &code).await?),
            None => ui::ask("This is not the address of this sign-in; paste it whole:"),
        }
    }
}

fn read_line() -> Option<String> {
    let mut line = String::new();
    let mut stdin = io::stdin().lock().take(MAX_LINE_BYTES);
    stdin
        .read_line(&mut line)
        .ok()
        .filter(|length| *length > 0)
        .map(|_| line)
}
