use std::sync::Arc;
use std::time::Duration;

use super::Session;
use crate::azure::{AzureError, ResourceManager};
use crate::entra::{Application, Wanted};
use crate::secret::Secret;
use crate::session::error::SessionError;
use crate::session::profile::Method;

/// How long before it expires a bearer token is no longer used.
const TOKEN_MARGIN: Duration = Duration::from_secs(120);

impl Session {
    /// Asks Azure Resource Manager with the cached token, or a new one if that has expired. If Azure refuses a token before its
    /// time, as continuous access evaluation does, acquires another, once.
    ///
    /// # Errors
    /// As [`Session::acquire`], and whatever `question` fails with.
    pub async fn ask_azure<T, F>(
        &self,
        question: impl Fn(Arc<ResourceManager>) -> F,
    ) -> Result<T, SessionError>
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
        // What no token meets, a new sign-in may.
        match error {
            AzureError::Unauthorized {
                claims: Some(claims),
                code,
                message,
            } if self.profile.method == Method::User => {
                *self.token.lock().await = None;
                let action = self.answer(Application::ResourceManager, Some(claims.clone()));
                Err(SessionError::AzureChallenge {
                    source: AzureError::Unauthorized {
                        claims: Some(claims),
                        code,
                        message,
                    },
                    action: Box::new(action),
                })
            }
            error => Err(error.into()),
        }
    }

    async fn resource_manager(
        &self,
        claims: Option<&str>,
    ) -> Result<Arc<ResourceManager>, SessionError> {
        let token = self.resource_manager_token(claims).await?;
        let manager = ResourceManager::new(&self.http(), &self.cloud, token);
        Ok(Arc::new(manager))
    }

    /// Returns a token for Azure Resource Manager: the cached one, or a new one if that has expired or claims are needed.
    async fn resource_manager_token(&self, claims: Option<&str>) -> Result<Secret, SessionError> {
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
}
