use super::super::ui;
use super::browser::{self, Browser};
use super::{LoginArgs, Setup, device_code};
use crate::entra::{Prompt, Tokens};
use crate::failure::{Failure, FailureKind};
use crate::ids::TenantId;
use crate::keyring::entry::Entry;
use crate::session::{Flow, Method, SignedIn};

/// Signs a user in: in the browser of this machine, in any browser, or with a device code.
pub(super) async fn sign_in(setup: &Setup<'_>, args: &LoginArgs) -> Result<SignedIn, Failure> {
    if !args.device_code && !ui::is_watched() {
        return Err(Failure::new("cannot sign in without a terminal")
            .kind(FailureKind::SignInNeeded)
            .hint(
                "sign in as a service principal (entra-ssh login --help), or with --device-code",
            ));
    }
    let home: TenantId = "organizations".parse()?;
    let tenant = args.tenant.as_ref().unwrap_or(&home);
    let prompt = Prompt {
        login_hint: args.login_hint.as_deref(),
        ..Prompt::first()
    };
    let tokens = self::prompt(setup, args.flow(), tenant, prompt).await?;
    let lacks = |what: &str| {
        Failure::new(format!("Entra's reply holds no {what}"))
            .hint("check the cloud and its client ID: entra-ssh login --cloud NAME")
    };
    let refresh_token = tokens.refresh_token.ok_or_else(|| lacks("refresh token"))?;
    Ok(SignedIn {
        identity: tokens.identity.ok_or_else(|| lacks("ID token"))?,
        method: Method::User,
        flow: args.flow(),
        entry: Some(Entry::RefreshToken(refresh_token)),
    })
}

/// Prompts a user to sign in.
pub(super) async fn prompt(
    setup: &Setup<'_>,
    flow: Flow,
    tenant: &TenantId,
    prompt: Prompt<'_>,
) -> Result<Tokens, Failure> {
    match flow {
        Flow::Browser => browser::sign_in(setup, tenant, prompt, Browser::OfThisMachine).await,
        Flow::DeviceCode => device_code::sign_in(setup, tenant, prompt).await,
        Flow::NoBrowser => browser::sign_in(setup, tenant, prompt, Browser::Anywhere).await,
    }
}
