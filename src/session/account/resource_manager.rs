use std::sync::Arc;
use std::time::Duration;

use super::Session;
use crate::azure::{AzureError, ResourceManager};
use crate::entra::{Application, Wanted};
use crate::failure::{Challenge, Failure, FailureKind};
use crate::secret::Secret;
use crate::session::profile::{Method, command, login_command};

/// How long before its end a bearer token is no longer used.
const TOKEN_MARGIN: Duration = Duration::from_secs(120);

impl Session {
    /// Asks Azure Resource Manager, with the token of last time while it lives. A token that is refused before its time, as
    /// continuous access evaluation does, is replaced once.
    ///
    /// # Errors
    /// As [`Session::acquire`], and whatever `question` fails with.
    pub async fn ask_azure<T, F>(
        &self,
        question: impl Fn(Arc<ResourceManager>) -> F,
    ) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, AzureError>>,
    {
        let claims = match question(self.resource_manager(None).await?).await {
            Err(AzureError::Unauthorized { claims, .. }) => claims,
            outcome => return Ok(outcome?),
        };
        *self.token.lock().await = None;
        let again = question(self.resource_manager(claims.as_deref()).await?).await;
        let Err(error) = again else {
            return Ok(again?);
        };
        // What no token meets, a sign-in may.
        let challenge = match &error {
            AzureError::Unauthorized { claims, .. } if self.profile.method == Method::Person => {
                claims.clone()
            }
            _ => None,
        };
        if challenge.is_some() {
            *self.token.lock().await = None;
        }
        let failure = Failure::from(error);
        Err(match challenge {
            Some(claims) => self.ask_user(failure, Application::ResourceManager, Some(claims)),
            None => failure,
        })
    }

    async fn resource_manager(
        &self,
        claims: Option<&str>,
    ) -> Result<Arc<ResourceManager>, Failure> {
        let token = self.resource_manager_token(claims).await?;
        let manager = ResourceManager::new(&self.http(), &self.cloud, token);
        Ok(Arc::new(manager))
    }

    /// Returns a token for Azure Resource Manager: the one of last time while it lives, or a new one if claims are asked for.
    async fn resource_manager_token(&self, claims: Option<&str>) -> Result<Secret, Failure> {
        let mut kept = self.token.lock().await;
        let now = self.clock.now();
        if let Some((token, expires)) = kept.as_ref()
            && claims.is_none()
            && now.after(TOKEN_MARGIN) < *expires
        {
            return Ok(token.clone());
        }
        let application = Wanted::Token(Application::ResourceManager);
        let wanted = claims.map_or(application, Wanted::TokenWithClaims);
        let tokens = self.acquire(wanted).await?;
        let expires = now.after(tokens.expires_in);
        *kept = Some((tokens.access_token.clone(), expires));
        Ok(tokens.access_token)
    }

    /// Makes of a failure what the user can answer at a terminal.
    fn ask_user(
        &self,
        mut failure: Failure,
        application: Application,
        claims: Option<String>,
    ) -> Failure {
        failure.kind = FailureKind::SignInNeeded;
        // A new sign-in is one to Azure Resource Manager, and meets what is asked for there.
        let command = match application {
            Application::ResourceManager => login_command(&self.profile.name),
            Application::Ssh => self.certify_command(),
        };
        failure.hint = Some(format!("answer it at a terminal: {command}").into());
        failure.challenge = Some(Box::new(Challenge {
            tenant: self.tenant.clone(),
            application,
            claims,
        }));
        failure
    }

    pub(super) fn certify_command(&self) -> String {
        let rest = if self.tenant == self.profile.tenant {
            "cert".to_owned()
        } else {
            format!("cert --tenant {}", self.tenant)
        };
        command(&self.profile.name, &rest)
    }
}
