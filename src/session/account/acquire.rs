use super::Session;
use super::credential::Credential;
use crate::entra::{self, Application, EntraError, Remedy, Tokens, Wanted};
use crate::keyring::Kind;
use crate::keyring::entry::Entry;
use crate::secret::Secret;
use crate::session::challenge::Challenge;
use crate::session::error::{ClockSkew, SessionError, UserAction};
use crate::session::profile::Method;

impl Session {
    /// Acquires the token or certificate that is `wanted`. A new refresh token replaces the one in the keyring.
    ///
    /// # Errors
    /// [`SessionError`], which says so if only a user at a terminal can go on from here.
    pub async fn acquire(&self, wanted: Wanted<'_>) -> Result<Tokens, SessionError> {
        let outcome = match self.credential().await? {
            Credential::User(token) => self.refresh(&token, wanted).await,
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

    /// Says what a refusal means for this account: what the user has to do, and whether a wrong clock may be the cause.
    fn explain(&self, source: EntraError, wanted: Wanted<'_>) -> SessionError {
        let remedy = match &source {
            EntraError::Refused(refusal) if self.profile.method == Method::User => refusal
                .remedy()
                .map(|remedy| (remedy, refusal.claims.clone())),
            _ => None,
        };
        let action = match remedy {
            Some((Remedy::Answer, claims)) => Some(self.answer(wanted.application(), claims)),
            Some((Remedy::SignIn, _)) => Some(UserAction::SignIn {
                profile: self.profile.name.clone(),
            }),
            _ => None,
        };
        SessionError::Entra {
            source,
            action: action.map(Box::new),
            clock: self.clock_skew(),
        }
    }

    /// Returns what the user has to answer at a terminal.
    pub(super) fn answer(&self, application: Application, claims: Option<String>) -> UserAction {
        UserAction::Answer {
            profile: self.profile.name.clone(),
            challenge: Challenge {
                tenant: self.tenant.clone(),
                application,
                claims,
            },
            is_guest: self.tenant != self.profile.tenant,
        }
    }

    /// Returns how far this machine's clock is from Entra's, if that is so much that it may be the cause of a refusal.
    #[must_use]
    pub(crate) fn clock_skew(&self) -> Option<ClockSkew> {
        let entra = self.http().server_time()?;
        ClockSkew::between(self.clock.now(), entra)
    }
}
