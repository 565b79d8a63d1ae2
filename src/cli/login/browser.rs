use std::process::Child;
use std::time::Duration;

use tokio::time::timeout;
use url::Url;

use super::super::ui;
use super::Setup;
use crate::cloud::Cloud;
use crate::entra::{AuthorizationCode, EntraError, Pasted, Prompt, Tokens};
use crate::failure::Failure;
use crate::host::browser;
use crate::host::http::Http;
use crate::host::loopback::{Loopback, Visit};
use crate::host::random;
use crate::host::terminal::LongLines;
use crate::ids::TenantId;
use crate::line::Line;
use crate::time::Spoken;

/// How long a user may take in the browser.
const BROWSER_LIMIT: Duration = Duration::from_secs(15 * 60);

/// Which browser a user signs in in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Browser {
    /// Any, on this machine or another: the address is printed.
    Anywhere,
    /// The one of this machine, if it has one.
    OfThisMachine,
}

/// Signs a user in with an authorization code.
pub(super) async fn sign_in(
    setup: &Setup<'_>,
    tenant: &TenantId,
    prompt: Prompt<'_>,
    browser: Browser,
) -> Result<Tokens, Failure> {
    let Setup { cloud, http, .. } = *setup;
    let mut loopback = Loopback::open().await.map_err(|error| {
        Failure::new("cannot listen for the browser")
            .caused_by(&error)
            .hint(OTHER_WAY)
    })?;
    let mut bytes = [0; 48];
    random::fill(&mut bytes).map_err(|_| Failure::new("the system gives no random numbers"))?;
    let (flow, address) =
        AuthorizationCode::begin(cloud, tenant, loopback.redirect_uri(), prompt, &bytes);
    // Whether a browser has opened the page shows only when it comes back: pasting always works.
    let lines = ui::can_answer().then(LongLines::open);
    let lines = lines.and_then(Result::ok);
    let opener = show(setup, browser, &address, lines.is_some());
    let wait = async {
        tokio::select! {
            outcome = wait_for_redirect(&flow, &mut loopback, http, cloud) => outcome,
            outcome = wait_for_paste(&flow, lines, http, cloud) => outcome,
            outcome = tell_of_failed_opener(opener) => outcome,
        }
    };
    timeout(BROWSER_LIMIT, wait).await.map_err(|_| {
        Failure::new(format!("no sign-in within {}", Spoken(BROWSER_LIMIT))).hint(OTHER_WAY)
    })?
}

/// What to try where the browser does not help.
const OTHER_WAY: &str = "sign in with a code: entra-ssh login --device-code";

/// A program that was started to open the address.
struct Opener {
    name: String,
    process: Child,
}

/// Starts the browser, if it is to be that of this machine, and prints the address.
fn show(setup: &Setup<'_>, browser: Browser, address: &Url, can_paste: bool) -> Option<Opener> {
    let found = match browser {
        Browser::Anywhere => None,
        Browser::OfThisMachine => browser::find(&setup.context.host.env),
    };
    let started = found.map(|browser| {
        let started = browser::open(&browser, address.as_str());
        (browser.display().to_string(), started)
    });
    let (opening, opener) = match started {
        None => (
            "To sign in, open this address in a browser:".to_owned(),
            None,
        ),
        Some((name, Ok(process))) => {
            let opening = "Sign in in the browser that has opened. If none has, open this address in a browser:";
            (opening.to_owned(), Some(Opener { name, process }))
        }
        Some((name, Err(error))) => {
            let opening = format!(
                "`{}` cannot be started ({error}). To sign in, open this address in a browser:",
                Line::from(name)
            );
            (opening, None)
        }
    };
    ui::ask(&format!("{opening}\n{address}"));
    if can_paste {
        ui::ask("If it ends at a page that cannot be reached, paste that page's address here.");
    }
    ui::ask(match browser {
        Browser::Anywhere => "To sign in with a code instead: entra-ssh login --device-code",
        Browser::OfThisMachine => {
            "To sign in without this browser: entra-ssh login --no-browser, or entra-ssh login --device-code"
        }
    });
    opener
}

/// Waits until what was to open the address has failed, and tells so. The sign-in goes on.
async fn tell_of_failed_opener<T>(opener: Option<Opener>) -> T {
    if let Some(Opener { name, mut process }) = opener {
        let ended = tokio::task::spawn_blocking(move || process.wait()).await;
        if let Ok(Ok(status)) = ended
            && !status.success()
        {
            ui::ask(&format!(
                "`{}` failed ({status}) and may have opened no page: open the address above in a browser.",
                Line::from(name)
            ));
        }
    }
    std::future::pending().await
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

/// Waits for the address of the page that the browser could not reach, or the code from it.
async fn wait_for_paste(
    flow: &AuthorizationCode,
    lines: Option<LongLines>,
    http: &Http,
    cloud: &Cloud,
) -> Result<Tokens, Failure> {
    let Some(mut lines) = lines else {
        return std::future::pending().await;
    };
    loop {
        let line = lines
            .next()
            .await
            .map_err(|error| Failure::new("cannot read from the terminal").caused_by(&error))?;
        let Some(line) = line else {
            // The terminal was closed, and the browser may still come.
            return std::future::pending().await;
        };
        match flow.on_paste(&String::from_utf8_lossy(&line))? {
            Pasted::Code(code) => return Ok(flow.redeem(http, cloud, &code).await?),
            Pasted::Nothing => {}
            Pasted::OfAnotherSignIn => ui::ask(&format!(
                "This is the address of another sign-in. {}",
                expected(flow)
            )),
            Pasted::Other => ui::ask(&format!(
                "This is not the address of this sign-in. {}",
                expected(flow)
            )),
        }
    }
}

fn expected(flow: &AuthorizationCode) -> String {
    format!(
        "Paste the whole address of the page that the browser ended at; it begins with {}/?code=",
        flow.redirect_uri()
    )
}
