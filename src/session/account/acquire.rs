use std::time::Duration;

use super::Session;
use super::credential::Credential;
use crate::entra::{self, Application, EntraError, Remedy, Tokens, Wanted};
use crate::failure::{Challenge, Failure, FailureKind};
use crate::keyring::Kind;
use crate::keyring::entry::Entry;
use crate::secret::Secret;
use crate::session::profile::{Method, login_command};
use crate::time::Spoken;

/// How far this machine's clock may be from Entra's: certificates and assertions are allowed five minutes.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(300);

impl Session {
    /// Acquires the token or certificate that is `wanted`. A new refresh token replaces the one in the keyring.
    ///
    /// # Errors
    /// [`Failure`]; of the kind `SignInNeeded` if only a person at a terminal can go on from here.
    pub async fn acquire(&self, wanted: Wanted<'_>) -> Result<Tokens, Failure> {
        let outcome = match self.credential().await? {
            Credential::Person(token) => self.refresh(&token, wanted).await,
            Credential::ServicePrincipal(principal) => {
                let now = self.clock.now();
                let (http, cloud) = (&self.http(), &self.cloud);
                entra::client_credentials(http, cloud, &self.tenant, &principal, wanted, now).await
            }
        };
        match outcome {
            Ok(tokens) => {
                if let Some(token) = &tokens.refresh_token {
                    let entry = Entry::RefreshToken(token.clone());
                    self.store(&self.entry(Kind::SignIn), entry).await;
                }
                Ok(tokens)
            }
            Err(error) => Err(self.explain(error, wanted)),
        }
    }

    async fn refresh(&self, token: &Secret, wanted: Wanted<'_>) -> Result<Tokens, EntraError> {
        entra::refresh(&self.http(), &self.cloud, &self.tenant, token, wanted).await
    }

    /// Says what a refusal means for this account: who has to do what, and at which command.
    fn explain(&self, error: EntraError, wanted: Wanted<'_>) -> Failure {
        let by_person = match &error {
            EntraError::Refused(refusal) if self.profile.method == Method::Person => refusal
                .persons_remedy()
                .map(|remedy| (remedy, refusal.claims.clone())),
            _ => None,
        };
        let mut failure = Failure::from(error);
        match by_person {
            Some((Remedy::Answer, claims)) => {
                failure.kind = FailureKind::SignInNeeded;
                // A new sign-in is one to Azure Resource Manager, and meets what is asked for there.
                let command = match wanted.application() {
                    Application::ResourceManager => login_command(&self.profile.name),
                    Application::Ssh => self.certify_command(),
                };
                failure.hint = Some(format!("answer it at a terminal: {command}").into());
                failure.challenge = Some(Box::new(Challenge {
                    tenant: self.tenant.clone(),
                    application: wanted.application(),
                    claims,
                }));
            }
            Some((Remedy::SignIn, _)) => {
                failure.kind = FailureKind::SignInNeeded;
                let login = login_command(&self.profile.name);
                failure.hint = Some(format!("sign in again: {login}").into());
            }
            _ => {}
        }
        self.blame_the_clock(failure)
    }

    /// Adds to a failure that this machine's clock is wrong, if it is so much that it may be the cause.
    #[must_use]
    pub fn blame_the_clock(&self, mut failure: Failure) -> Failure {
        let now = self.clock.now();
        let Some(there) = self.http().server_time() else {
            return failure;
        };
        let (ahead, behind) = (now.since(there), there.since(now));
        if ahead.max(behind) > CLOCK_TOLERANCE {
            let side = if ahead > behind { "ahead of" } else { "behind" };
            failure.causes.push(
                format!(
                    "this machine's clock is {} {side} Entra's, which says {there}",
                    Spoken(ahead.max(behind))
                )
                .into(),
            );
            failure.hint = Some("set this machine's clock: sudo timedatectl set-ntp true".into());
        }
        failure
    }
}
