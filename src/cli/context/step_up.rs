//! What a policy refuses, tried again after the user has answered the policy's question.

use super::super::login::step_up;
use super::super::ui::{self, Ui};
use super::Context;
use crate::failure::Failure;
use crate::ids::ProfileName;

impl Context {
    /// Does something that policies may ask more for than the sign-in has given. A person at a terminal is asked for it, in
    /// the way that they signed in, once.
    pub(in super::super) async fn answering<T>(
        &self,
        ui: Ui,
        profile: &ProfileName,
        job: impl AsyncFn() -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let failure = match job().await {
            Err(failure) if failure.challenge.is_some() && ui::is_at_terminal() => failure,
            outcome => return outcome,
        };
        let Some(challenge) = &failure.challenge else {
            return Err(failure);
        };
        let reason = failure.causes.first().unwrap_or(&failure.error);
        ui.say(&format!("once more, since {reason}"));
        let profile = self.profiles().load(profile)?;
        step_up::answer(ui, self, &profile, challenge).await?;
        job().await.map_err(|failure| match failure.challenge {
            Some(_) => failure.hint(
                "this was answered just now and is asked for again: ask an administrator of the tenant",
            ),
            None => failure,
        })
    }
}
