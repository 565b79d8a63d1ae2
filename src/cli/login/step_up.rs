//! One more sign-in of a user, because a policy asks for more than the last one met.

use super::super::context::Context;
use super::super::ui::Ui;
use super::Setup;
use super::user;
use crate::entra::Prompt;
use crate::failure::{Failure, login_command};
use crate::host::http::Http;
use crate::session::{Challenge, Profile, Session};

/// Prompts the user to answer a challenge, in the way that they signed in, and stores the refresh token.
pub(in super::super) async fn answer(
    ui: Ui,
    context: &Context,
    profile: &Profile,
    challenge: &Challenge,
) -> Result<(), Failure> {
    let session = Session::open(&context.host, profile.clone(), Some(&challenge.tenant)).await?;
    let http = Http::for_cloud(&session.cloud, &context.host.env)?;
    let setup = Setup {
        ui,
        context,
        cloud: &session.cloud,
        http: &http,
    };
    let prompt = Prompt {
        application: challenge.application,
        claims: challenge.claims.as_deref(),
        login_hint: Some(profile.account.as_str()),
    };
    let tokens = user::prompt(&setup, profile.flow, &challenge.tenant, prompt).await?;
    if let Some(identity) = &tokens.identity
        && challenge.tenant == profile.tenant
        && !identity
            .account
            .as_str()
            .eq_ignore_ascii_case(profile.account.as_str())
    {
        return Err(Failure::new(format!(
            "`{}` signed in, but the profile `{}` is for `{}`",
            identity.account, profile.name, profile.account
        ))
        .hint(format!(
            "sign in as that account, or change the profile: {}",
            login_command(&profile.name)
        )));
    }
    session
        .store_refresh_token(tokens.refresh_token.as_ref())
        .await?;
    Ok(())
}
