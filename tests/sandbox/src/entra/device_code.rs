//! The device authorization grant, RFC 8628.

use serde_json::json;

use super::error::EntraError;
use super::scope::Scope;
use super::{check_public_client, page, step_up, tenant};
use crate::clock::unix_now;
use crate::encoding::{base64url, random_bytes};
use crate::http::{Reply, Request};
use crate::options::User;
use crate::world::{World, lock};

use std::time::{Duration, Instant};

/// No vowels and nothing that looks like something else.
const USER_CODE_LETTERS: &[u8; 32] = b"BCDFGHJKLMNPQRSTVWXZ23456789BCDF";

/// A client that asks less than this before its time still gets its answer.
const POLLING_TOLERANCE: Duration = Duration::from_millis(500);

/// A device code and what became of it.
#[derive(Clone, Debug)]
pub(crate) struct DeviceCode {
    user_code: String,
    client_id: String,
    tenant: Option<String>,
    scope: String,
    claims: Option<String>,
    expires: u64,
    interval: Duration,
    polled: Option<Instant>,
    verdict: Verdict,
}

#[derive(Clone, Debug)]
enum Verdict {
    Pending,
    Approved(String),
    Declined,
}

/// What a redeemed code is worth.
pub(crate) struct Redeemed {
    pub(crate) upn: String,
    pub(crate) tenant: Option<String>,
    pub(crate) scope: String,
    pub(crate) stepped_up: bool,
}

/// `POST /{tenant}/oauth2/v2.0/devicecode`
pub(crate) fn start(world: &World, request: &Request, name: &str) -> Result<Reply, EntraError> {
    let tenant = tenant(world, name)?;
    let form = request.form();
    let client_id = form
        .value("client_id")
        .ok_or_else(|| EntraError::missing("client_id"))?;
    check_public_client(client_id)?;
    let scope = form
        .value("scope")
        .ok_or_else(|| EntraError::missing("scope"))?;
    Scope::parse(scope, &world.addresses.cloud)?;
    let device_code = base64url(random_bytes::<32>());
    let user_code: String = random_bytes::<9>()
        .iter()
        .map(|byte| char::from(USER_CODE_LETTERS[usize::from(byte % 32)]))
        .collect();
    let options = &world.options;
    lock(&world.entra).device_codes.insert(
        device_code.clone(),
        DeviceCode {
            user_code: user_code.clone(),
            client_id: client_id.to_owned(),
            tenant: tenant.map(|tenant| tenant.id.clone()),
            scope: scope.to_owned(),
            claims: form.value("claims").map(str::to_owned),
            expires: unix_now() + options.device_code_lifetime.as_secs(),
            interval: options.device_code_interval,
            polled: None,
            verdict: Verdict::Pending,
        },
    );
    let verification_uri = format!("{}/common/oauth2/deviceauth", world.addresses.cloud);
    Ok(Reply::json(
        200,
        &json!({
            "user_code": user_code,
            "device_code": device_code,
            "verification_uri": verification_uri,
            "expires_in": options.device_code_lifetime.as_secs(),
            "interval": options.device_code_interval.as_secs(),
            "message": format!(
                "To sign in, use a web browser to open the page {verification_uri} and enter the \
                 code {user_code} to authenticate."
            ),
        }),
    ))
}

/// `GET /common/oauth2/deviceauth`
pub(crate) fn page(world: &World, request: &Request) -> Reply {
    let code = request
        .query
        .value("user_code")
        .or_else(|| request.query.value("otc"))
        .unwrap_or_default();
    page::choose_user(
        world,
        "Enter the code of your device, and choose who you are",
        &format!(
            "<p><input name=\"user_code\" value=\"{}\" autofocus></p>",
            page::escape(code)
        ),
    )
}

/// `POST /common/oauth2/deviceauth`
pub(crate) fn answer(world: &World, request: &Request) -> Reply {
    let form = request.form();
    let user_code = form.value("user_code").unwrap_or_default();
    let outcome = match form.value("upn") {
        Some(upn) => approve(world, user_code, upn),
        None => decline(world, user_code),
    };
    match outcome {
        Ok(()) => page::message(200, "Done", "You can close this page."),
        Err(refusal) => page::message(400, "That did not work", &refusal),
    }
}

/// Answers a device code in the name of a user.
pub(crate) fn approve(world: &World, user_code: &str, upn: &str) -> Result<(), String> {
    let user = world
        .user(upn)
        .ok_or_else(|| format!("there is no user `{upn}`"))?;
    decide(world, user_code, Verdict::Approved(user.upn.clone()))
}

/// Refuses a device code.
pub(crate) fn decline(world: &World, user_code: &str) -> Result<(), String> {
    decide(world, user_code, Verdict::Declined)
}

fn decide(world: &World, user_code: &str, verdict: Verdict) -> Result<(), String> {
    let mut state = lock(&world.entra);
    let code = state
        .device_codes
        .values_mut()
        .find(|code| code.user_code.eq_ignore_ascii_case(user_code))
        .ok_or_else(|| format!("there is no device code for `{user_code}`"))?;
    code.verdict = verdict;
    Ok(())
}

/// Redeems a code at the token endpoint; a code that was approved serves once.
pub(crate) fn redeem(
    world: &World,
    device_code: &str,
    client_id: &str,
) -> Result<Redeemed, EntraError> {
    let mut state = lock(&world.entra);
    let code = state
        .device_codes
        .get_mut(device_code)
        .filter(|code| code.client_id.eq_ignore_ascii_case(client_id))
        .ok_or_else(|| {
            EntraError::new(
                "bad_verification_code",
                70_018,
                "Invalid verification code due to User typing in wrong user code for device code \
                 flow.",
            )
        })?;
    if unix_now() >= code.expires {
        return Err(EntraError::new(
            "expired_token",
            70_019,
            "Verification code expired. Have the user retry the sign-in.",
        ));
    }
    let last = code.polled.replace(Instant::now());
    match &code.verdict {
        Verdict::Declined => Err(EntraError::new(
            "authorization_declined",
            65_004,
            "User declined to consent to access the app.",
        )),
        Verdict::Pending => match last {
            Some(last) if last.elapsed() + POLLING_TOLERANCE < code.interval => {
                Err(EntraError::new(
                    "slow_down",
                    70_016,
                    "OAuth 2.0 device flow error. Requests come too fast. Slow down.",
                ))
            }
            _ => Err(EntraError::new(
                "authorization_pending",
                70_016,
                "OAuth 2.0 device flow error. Authorization is pending. Continue polling.",
            )),
        },
        Verdict::Approved(upn) => {
            let redeemed = Redeemed {
                upn: upn.clone(),
                tenant: code.tenant.clone(),
                scope: code.scope.clone(),
                stepped_up: step_up::answers(
                    code.claims.as_deref(),
                    &code.scope,
                    &world.addresses.cloud,
                ),
            };
            state.device_codes.remove(device_code);
            Ok(redeemed)
        }
    }
}

/// Returns the user codes that nobody answered yet.
pub(crate) fn pending(world: &World) -> Vec<String> {
    lock(&world.entra)
        .device_codes
        .values()
        .filter(|code| matches!(code.verdict, Verdict::Pending) && unix_now() < code.expires)
        .map(|code| code.user_code.clone())
        .collect()
}

/// Returns whether a user may get a token of a tenant at all.
pub(crate) fn check_membership(user: &User, tenant: &str) -> Result<(), EntraError> {
    if user.membership(tenant).is_some() {
        return Ok(());
    }
    Err(EntraError::invalid_grant(
        50_020,
        format!(
            "User account '{}' from identity provider '{}' does not exist in tenant '{tenant}' \
             and cannot access the application in that tenant. The account needs to be added as \
             an external user in the tenant first.",
            user.upn, user.memberships[0].tenant
        ),
    ))
}
