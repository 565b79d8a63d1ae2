use std::io::{self, BufRead as _, Read as _};
use std::time::Duration;

use ring::rand::{SecureRandom as _, SystemRandom};
use tokio::time::timeout;
use url::Url;

use super::super::ui;
use super::Way;
use crate::cloud::Cloud;
use crate::entra::{AuthorizationCode, EntraError, Prompt, Tokens};
use crate::failure::Failure;
use crate::host::browser;
use crate::host::http::Http;
use crate::host::loopback::{Loopback, Visit};
use crate::ids::TenantId;
use crate::secret::Secret;
use crate::time::Spoken;

/// How long a person may take in the browser.
const BROWSER_LIMIT: Duration = Duration::from_secs(15 * 60);
/// The longest line that is read from a terminal, in bytes.
const MAX_LINE_BYTES: u64 = 64 * 1024;

/// Which browser a person signs in in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Browser {
    /// Any, on this machine or another: the address is printed.
    Anywhere,
    /// The one of this machine, if it has one.
    OfThisMachine,
}

/// Signs a person in with an authorization code.
pub(super) async fn sign_in(
    way: &Way<'_>,
    tenant: &TenantId,
    prompt: Prompt<'_>,
    browser: Browser,
) -> Result<Tokens, Failure> {
    let Way { cloud, http, .. } = *way;
    let mut loopback = Loopback::open().await.map_err(|error| {
        Failure::new("cannot listen for the browser")
            .caused_by(&error)
            .hint(OTHER_WAY)
    })?;
    let mut random = [0; 48];
    SystemRandom::new()
        .fill(&mut random)
        .map_err(|_| Failure::new("the system gives no random numbers"))?;
    let (flow, address) =
        AuthorizationCode::begin(cloud, tenant, loopback.redirect_uri(), prompt, &random);
    let is_shown = show(way, browser, &address);
    let wait = async {
        tokio::select! {
            outcome = wait_for_redirect(&flow, &mut loopback, http, cloud) => outcome,
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
fn show(way: &Way<'_>, browser: Browser, address: &Url) -> bool {
    let browser = match browser {
        Browser::Anywhere => None,
        Browser::OfThisMachine => browser::find(&way.context.host.env),
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
    loopback: &mut Loopback,
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
                loopback.turn_away(visit, "400 Bad Request", "Not signed in", sentence);
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
