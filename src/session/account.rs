//! A signed-in account: buys tokens and certificates with what the keyring holds.

mod environment;
mod link;
mod unsaved;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use url::Url;

use crate::azure::{AzureError, ResourceManager};
use crate::cloud::Cloud;
use crate::entra::{
    self, Application, ClientCertificate, EntraError, OidcRequest, Proof, Remedy, ServicePrincipal,
    Tokens, Wanted,
};
use crate::failure::{Challenge, Failure, FailureKind};
use crate::host::Host;
use crate::host::clock::Clock;
use crate::host::http::Http;
use crate::ids::{ClientId, TenantId};
use crate::keyring::entry::Entry;
use crate::keyring::{EntryName, Keyring, Kind};
use crate::secret::Secret;
use crate::session::profile::{Method, Profile, Profiles, command, login_command};
use crate::time::{Spoken, UnixTime};

pub(crate) use self::environment::EnvironmentIdentity;

use self::link::{Link, Links};
use self::unsaved::Unsaved;

/// How far this machine's clock may be from Entra's: certificates and assertions are allowed five minutes.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(300);
/// How long before its end a bearer token is no longer used.
const TOKEN_MARGIN: Duration = Duration::from_secs(120);

/// A signed-in account in one tenant, with all that it takes to speak for it there.
#[derive(Clone, Debug)]
pub struct SignIn {
    /// The profile.
    pub profile: Profile,
    /// The tenant that tokens and certificates come from: the one that was signed in to, or another one that the account is
    /// a guest of.
    pub tenant: TenantId,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where locks between processes lie.
    pub locks: PathBuf,
    /// The profiles of this user.
    pub profiles: Profiles,
    /// The profile's cloud.
    pub cloud: Cloud,
    /// How the caller reaches the network and the keyring.
    link: Arc<Link>,
    /// How other callers do.
    links: Arc<Links>,
    unsaved: Unsaved,
    /// The token for Azure Resource Manager, and when it expires.
    token: Arc<Mutex<Option<(Secret, UnixTime)>>>,
}

/// What speaks for an account.
enum Credential {
    Person(Secret),
    ServicePrincipal(ServicePrincipal),
}

impl SignIn {
    /// Opens the account of a profile in the tenant that was signed in to.
    ///
    /// # Errors
    /// [`Failure`] if its cloud, its keyring or TLS cannot be used.
    pub async fn open(host: &Host, profile: Profile) -> Result<Self, Failure> {
        let keyring = Keyring::open(profile.keyring, host).await?;
        Self::with_keyring(host, profile, keyring)
    }

    /// Opens an account that is stored nowhere.
    ///
    /// # Errors
    /// [`Failure`] if its cloud or TLS cannot be used.
    pub async fn of_environment(
        host: &Host,
        identity: &EnvironmentIdentity,
    ) -> Result<Self, Failure> {
        let EnvironmentIdentity { profile, entry } = identity;
        let keyring = Keyring::in_memory().await?;
        if let Some(entry) = entry {
            keyring
                .save(&profile.entry(Kind::SignIn), entry.encode())
                .await?;
        }
        Self::with_keyring(host, profile.clone(), keyring)
    }

    fn with_keyring(host: &Host, profile: Profile, keyring: Keyring) -> Result<Self, Failure> {
        let cloud = profile.cloud.open()?;
        let link = Arc::new(Link::new(host, &cloud, keyring)?);
        let links = Arc::<Links>::default();
        links.put_first(&link);
        Ok(Self {
            tenant: profile.tenant.clone(),
            profile,
            clock: Arc::clone(&host.clock),
            locks: host.paths.locks(),
            profiles: Profiles::new(&host.paths),
            cloud,
            link,
            links,
            unsaved: Unsaved::default(),
            token: Arc::default(),
        })
    }

    /// Returns the same account in a tenant.
    #[must_use]
    pub fn in_tenant(&self, tenant: TenantId) -> Self {
        Self {
            tenant,
            token: Arc::default(),
            ..self.clone()
        }
    }

    /// Returns the same account as this caller reaches it: by its proxy, its roots and its D-Bus. A keyring that is open is
    /// used if the caller's own cannot be reached: it is the same user's.
    ///
    /// # Errors
    /// [`Failure`] if TLS cannot be set up with them.
    pub async fn come_from(&self, host: &Host) -> Result<Self, Failure> {
        let link = match self.links.find(host) {
            Some(link) => link,
            None => Arc::new(self.open_link(host).await?),
        };
        self.links.put_first(&link);
        Ok(Self {
            link,
            ..self.clone()
        })
    }

    async fn open_link(&self, host: &Host) -> Result<Link, Failure> {
        let keyring = match self.links.keyring_for(host) {
            Some(keyring) => keyring,
            None if !self.is_stored() => self.keyring(),
            None => Keyring::open(self.profile.keyring, host)
                .await
                .unwrap_or_else(|_| self.keyring()),
        };
        Link::new(host, &self.cloud, keyring)
    }

    /// Returns a number that tells the settings of the caller from other ones.
    #[must_use]
    pub fn settings(&self) -> u64 {
        self.link.number
    }

    /// Returns the keyring that the account is kept in.
    #[must_use]
    pub fn keyring(&self) -> Keyring {
        self.link.keyring.clone()
    }

    /// Tells whether something of the account outlives this process.
    #[must_use]
    pub const fn is_stored(&self) -> bool {
        self.profile.environment.is_none()
    }

    fn http(&self) -> Http {
        self.link.http.clone()
    }

    /// Returns the name of an entry of this account in this tenant.
    #[must_use]
    pub fn entry(&self, kind: Kind) -> EntryName {
        self.profile.entry_in(kind, &self.tenant)
    }

    /// Buys what is `wanted` with what the keyring holds. A new refresh token is kept in place of the old one.
    ///
    /// # Errors
    /// [`Failure`]; of the kind `SignInNeeded` if only a person at a terminal can go on from here.
    pub async fn buy(&self, wanted: Wanted<'_>) -> Result<Tokens, Failure> {
        let bought = match self.credential().await? {
            Credential::Person(token) => self.buy_as_person(&token, wanted).await,
            Credential::ServicePrincipal(principal) => {
                let now = self.clock.now();
                let (http, cloud) = (&self.http(), &self.cloud);
                entra::client_credentials(http, cloud, &self.tenant, &principal, wanted, now).await
            }
        };
        match bought {
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

    async fn buy_as_person(
        &self,
        token: &Secret,
        wanted: Wanted<'_>,
    ) -> Result<Tokens, EntraError> {
        entra::refresh(&self.http(), &self.cloud, &self.tenant, token, wanted).await
    }

    /// Keeps a refresh token of this account in this tenant.
    ///
    /// # Errors
    /// [`Failure`] if the keyring does not take it.
    pub async fn keep(&self, refresh_token: Option<&Secret>) -> Result<(), Failure> {
        if let Some(token) = refresh_token {
            let entry = Entry::RefreshToken(token.clone());
            self.keyring()
                .save(&self.entry(Kind::SignIn), entry.encode())
                .await?;
        }
        Ok(())
    }

    /// Stores an entry of this account. What the keyring does not take is held in memory, and stored later if that is possible:
    /// that it cannot be stored is no reason to fail once Entra has given it.
    pub async fn store(&self, name: &EntryName, entry: Entry) {
        let Err(error) = self.keyring().save(name, entry.encode()).await else {
            self.unsaved.forget(name);
            return;
        };
        tracing::warn!(entry = %name, %error, "holds in memory what cannot be stored");
        let stored = self.keyring().load(name).await.unwrap_or_default();
        self.unsaved
            .hold(name, entry, stored.as_ref(), error.into());
    }

    /// Tries to store what the keyring did not take before, if it is time.
    pub async fn save_again(&self) {
        for (name, entry) in self.unsaved.due() {
            let stored = self.keyring().load(&name).await;
            let is_newer = stored.is_ok_and(|stored| {
                let newer = self.unsaved.newer_than(&name, stored.as_ref());
                newer.is_some()
            });
            if is_newer {
                self.store(&name, entry).await;
            }
        }
    }

    /// Says what is held in memory only, and why.
    #[must_use]
    pub fn unsaved(&self) -> Vec<String> {
        self.unsaved.warnings()
    }

    /// Returns what speaks for the account: what is kept for this tenant, or else for the one that was signed in to.
    async fn credential(&self) -> Result<Credential, Failure> {
        let principal = |client_id: &ClientId, proof| {
            Credential::ServicePrincipal(ServicePrincipal {
                client_id: client_id.clone(),
                proof,
            })
        };
        // These keep nothing in the keyring.
        match &self.profile.method {
            Method::ManagedIdentity {
                client_id,
                identity,
            } => {
                return Ok(principal(
                    client_id,
                    Proof::ManagedIdentity(identity.clone()),
                ));
            }
            Method::TokenFile { client_id, file } => {
                return Ok(principal(client_id, Proof::TokenFile(file.clone())));
            }
            _ => {}
        }
        match (&self.profile.method, self.load_sign_in().await?) {
            (Method::Person, Entry::RefreshToken(token)) => Ok(Credential::Person(token)),
            (Method::ClientSecret { client_id }, Entry::ClientSecret(secret)) => {
                Ok(principal(client_id, Proof::Secret(secret)))
            }
            (
                Method::ClientCertificate { client_id },
                Entry::ClientCertificate { key, certificate },
            ) => {
                let certificate = ClientCertificate { key, certificate };
                Ok(principal(client_id, Proof::Certificate(certificate)))
            }
            (Method::GithubActions { client_id }, Entry::OidcRequest { url, token }) => {
                let request = self.oidc_request(&url, token)?;
                Ok(principal(client_id, Proof::GitHubActions(request)))
            }
            (
                Method::AzurePipelines {
                    client_id,
                    service_connection_id,
                },
                Entry::OidcRequest { url, token },
            ) => {
                let proof = Proof::AzurePipelines {
                    request: self.oidc_request(&url, token)?,
                    service_connection_id: service_connection_id.clone(),
                };
                Ok(principal(client_id, proof))
            }
            _ => Err(self.signed_out()),
        }
    }

    fn oidc_request(&self, url: &Secret, token: Secret) -> Result<OidcRequest, Failure> {
        let url = Url::parse(url.expose()).map_err(|_| self.signed_out())?;
        Ok(OidcRequest { url, token })
    }

    async fn load_sign_in(&self) -> Result<Entry, Failure> {
        let names = [self.entry(Kind::SignIn), self.profile.entry(Kind::SignIn)];
        for name in names {
            let stored = self.keyring().load(&name).await?;
            if let Some(newer) = self.unsaved.newer_than(&name, stored.as_ref()) {
                return Ok(newer);
            }
            if let Some(bytes) = stored {
                return Ok(Entry::decode(&name, &bytes)?);
            }
        }
        Err(self.signed_out())
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

    fn certify_command(&self) -> String {
        let rest = if self.tenant == self.profile.tenant {
            "cert".to_owned()
        } else {
            format!("cert --tenant {}", self.tenant)
        };
        command(&self.profile.name, &rest)
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
        let tokens = self.buy(wanted).await?;
        let expires = now.after(tokens.expires_in);
        *kept = Some((tokens.access_token.clone(), expires));
        Ok(tokens.access_token)
    }

    fn signed_out(&self) -> Failure {
        let Profile { name, account, .. } = &self.profile;
        let backend = self.keyring().backend();
        let mut failure = Failure::new(format!(
            "{backend} holds no sign-in for `{account}` (profile `{name}`)"
        ));
        if let Some(when) = backend.forgets() {
            failure
                .causes
                .push(format!("{backend} forgets {when}").into());
        }
        failure
            .kind(FailureKind::SignInNeeded)
            .hint(format!("sign in: {}", login_command(name)))
    }
}
