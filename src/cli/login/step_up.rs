//! One more sign-in of a person who has signed in before, because a policy asks for more.

use super::super::context::Context;
use super::super::ui::Ui;
use super::Way;
use super::person;
use crate::entra::Prompt;
use crate::failure::{Failure, login_command};
use crate::host::http::Http;
use crate::session::{Challenge, Profile, Session};

/// Has the person answer a challenge, in the way that they signed in, and keeps what that is worth.
pub(in super::super) async fn answer(
    ui: Ui,
    context: &Context,
    profile: &Profile,
    challenge: &Challenge,
) -> Result<(), Failure> {
    let session = Session::open(&context.host, profile.clone(), Some(&challenge.tenant)).await?;
    let http = Http::for_cloud(&session.cloud, &context.host.env)?;
    let way = Way {
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
    let tokens = person::ask(&way, profile.flow, &challenge.tenant, prompt).await?;
    if let Some(identity) = &tokens.identity
        && challenge.tenant == profile.tenant
        && !identity
            .account
            .as_str()
            .eq_ignore_ascii_case(profile.account.as_str())
    {
        return Err(Failure::new(format!(
            "`{}` has signed in, and the profile `{}` is of `{}`",
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
