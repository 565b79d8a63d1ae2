//! Retries what a policy refused, once the user has met the policy's requirement.

use super::super::login::step_up;
use super::super::ui::{self, Ui};
use super::Context;
use crate::failure::Failure;
use crate::ids::ProfileName;

impl Context {
    /// Runs a job for which a policy may require more than the sign-in provided. At a terminal, prompts the user once,
    /// by the method that they signed in with, and retries.
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
                "the policy asks again for what the user just answered: ask an administrator of the tenant",
            ),
            None => failure,
        })
    }
}
