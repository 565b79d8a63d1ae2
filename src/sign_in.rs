//! A signed-in account: buys tokens and certificates with what the keyring holds.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;

use crate::azure::{AzureError, ResourceManager};
use crate::cloud::Cloud;
use crate::entra::{self, ClientSecret, EntraError, Tokens, Wanted};
use crate::failure::{Failure, FailureKind};
use crate::host::Host;
use crate::host::clock::Clock;
use crate::host::http::Http;
use crate::host::tls;
use crate::keyring::entry::Entry;
use crate::keyring::{Keyring, Kind};
use crate::profile::{Method, Profile, login_command};
use crate::secret::Secret;
use crate::time::UnixTime;

/// How long before its end a bearer token is no longer used.
const TOKEN_MARGIN: Duration = Duration::from_secs(120);

/// A signed-in account, with all that it takes to speak for it.
#[derive(Debug)]
pub struct SignIn {
    /// The profile.
    pub profile: Profile,
    /// Its keyring.
    pub keyring: Keyring,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where locks between processes lie.
    pub locks: PathBuf,
    cloud: Cloud,
    http: Http,
    resource_manager: Mutex<Option<(Arc<ResourceManager>, UnixTime)>>,
}

impl SignIn {
    /// Opens the account of a profile.
    ///
    /// # Errors
    /// [`Failure`] if its cloud, its keyring or TLS cannot be used.
    pub async fn open(host: &Host, profile: Profile) -> Result<Self, Failure> {
        let keyring = Keyring::open(profile.keyring, &host.paths).await?;
        let cloud = profile.cloud.open()?;
        let http = Http::new(&tls::client_config(cloud.ca_file.as_deref())?)?;
        Ok(Self {
            profile,
            keyring,
            clock: Arc::clone(&host.clock),
            locks: host.paths.locks(),
            cloud,
            http,
            resource_manager: Mutex::new(None),
        })
    }

    /// Buys what is `wanted` with what the keyring holds. A new refresh token is kept in place of the old one.
    ///
    /// # Errors
    /// [`Failure`]; of the kind `SignInNeeded` if only a person at a terminal can go on from here.
    pub async fn buy(&self, wanted: Wanted<'_>) -> Result<Tokens, Failure> {
        let name = self.profile.entry(Kind::SignIn);
        let stored = self.keyring.load(&name).await?;
        let entry = match stored {
            Some(bytes) => Entry::decode(&name, &bytes)?,
            None => return Err(self.signed_out()),
        };
        match (&self.profile.method, entry) {
            (Method::Person, Entry::RefreshToken(token)) => {
                self.buy_as_person(&token, wanted).await
            }
            (Method::ClientSecret { client_id }, Entry::ClientSecret(secret)) => {
                let identity = ClientSecret {
                    client_id: client_id.clone(),
                    secret,
                };
                let tenant = &self.profile.tenant;
                Ok(
                    entra::client_credentials(&self.http, &self.cloud, tenant, &identity, wanted)
                        .await?,
                )
            }
            _ => Err(self.signed_out()),
        }
    }

    async fn buy_as_person(&self, token: &Secret, wanted: Wanted<'_>) -> Result<Tokens, Failure> {
        let bought =
            entra::refresh(&self.http, &self.cloud, &self.profile.tenant, token, wanted).await;
        let tokens = bought.map_err(|error| {
            let needs_a_person =
                matches!(&error, EntraError::Refused(refusal) if refusal.needs_a_person());
            let failure = Failure::from(error);
            if needs_a_person {
                failure.kind(FailureKind::SignInNeeded)
            } else {
                failure
            }
        })?;
        if let Some(rolled) = &tokens.refresh_token {
            let entry = Entry::RefreshToken(rolled.clone());
            self.keyring
                .save(&self.profile.entry(Kind::SignIn), entry.encode())
                .await?;
        }
        Ok(tokens)
    }

    /// Asks Azure Resource Manager, with the token of last time while it lives. A token that is refused before its time, as
    /// continuous access evaluation does, is bought anew once.
    ///
    /// # Errors
    /// As [`SignIn::buy`], and whatever `question` fails with.
    pub async fn ask_azure<T, F>(
        &self,
        question: impl Fn(Arc<ResourceManager>) -> F,
    ) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, AzureError>>,
    {
        match question(self.resource_manager().await?).await {
            Err(AzureError::Unauthorized { .. }) => {
                *self.resource_manager.lock().await = None;
                Ok(question(self.resource_manager().await?).await?)
            }
            outcome => Ok(outcome?),
        }
    }

    async fn resource_manager(&self) -> Result<Arc<ResourceManager>, Failure> {
        let mut kept = self.resource_manager.lock().await;
        let now = self.clock.now();
        if let Some((manager, expires)) = kept.as_ref()
            && now.after(TOKEN_MARGIN) < *expires
        {
            return Ok(Arc::clone(manager));
        }
        let tokens = self.buy(Wanted::ResourceManager).await?;
        let expires = now.after(tokens.expires_in);
        let manager = Arc::new(ResourceManager::new(
            &self.http,
            &self.cloud,
            tokens.access_token,
        ));
        *kept = Some((Arc::clone(&manager), expires));
        Ok(manager)
    }

    fn signed_out(&self) -> Failure {
        let Profile { name, account, .. } = &self.profile;
        Failure::new(format!(
            "{} holds no sign-in for `{account}` (profile `{name}`)",
            self.keyring.backend()
        ))
        .kind(FailureKind::SignInNeeded)
        .hint(format!("sign in: {}", login_command(name)))
    }
}
