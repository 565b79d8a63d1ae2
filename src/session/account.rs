//! A signed-in account: acquires tokens and certificates with what the keyring holds.

mod acquire;
mod credential;
pub(super) mod environment;
mod link;
mod resource_manager;
mod storage;
mod unsaved;

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::Mutex;

use crate::cloud::Cloud;
use crate::host::Host;
use crate::host::clock::Clock;
use crate::host::http::Http;
use crate::ids::TenantId;
use crate::keyring::{EntryName, Keyring, Kind};
use crate::secret::Secret;
use crate::session::error::SessionError;
use crate::session::profile::Profile;
use crate::session::profiles::Profiles;
use crate::time::UnixTime;

use self::environment::{AccountSource, EnvironmentIdentity};
use self::link::{Link, Links};
use self::unsaved::Unsaved;

/// A signed-in account in one tenant, with what it takes to act for it there.
#[derive(Clone, Debug)]
pub struct Session {
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

impl Session {
    /// Opens an account in a tenant; without one, in the tenant that it is signed in to.
    ///
    /// # Errors
    /// [`SessionError`] if its cloud, its keyring or TLS cannot be used.
    pub async fn open(
        host: &Host,
        account: impl Into<AccountSource>,
        tenant: Option<&TenantId>,
    ) -> Result<Self, SessionError> {
        let account = account.into();
        let keyring = match &account {
            AccountSource::Environment(_) => Keyring::in_memory().await?,
            AccountSource::Stored(profile) => Keyring::open(profile.keyring, host).await?,
        };
        let profile = match account {
            AccountSource::Environment(EnvironmentIdentity { profile, entry }) => {
                if let Some(entry) = entry {
                    keyring
                        .save(&profile.entry(Kind::SignIn), entry.encode())
                        .await?;
                }
                profile
            }
            AccountSource::Stored(profile) => profile,
        };
        Self::with_keyring(host, profile, tenant, keyring)
    }

    fn with_keyring(
        host: &Host,
        profile: Profile,
        tenant: Option<&TenantId>,
        keyring: Keyring,
    ) -> Result<Self, SessionError> {
        let cloud = profile.cloud.open()?;
        let link = Arc::new(Link::new(host, &cloud, keyring)?);
        let links = Arc::<Links>::default();
        links.put_first(&link);
        Ok(Self {
            tenant: tenant.unwrap_or(&profile.tenant).clone(),
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
    /// [`SessionError`] if TLS cannot be set up with them.
    pub async fn for_caller(&self, host: &Host) -> Result<Self, SessionError> {
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

    async fn open_link(&self, host: &Host) -> Result<Link, SessionError> {
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
    pub fn link_number(&self) -> u64 {
        self.link.number
    }

    /// Returns the keyring that the account is kept in.
    #[must_use]
    pub fn keyring(&self) -> Keyring {
        self.link.keyring.clone()
    }

    /// Returns whether something of the account outlives this process.
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
}
