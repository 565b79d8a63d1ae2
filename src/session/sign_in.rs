//! Storing and removing sign-ins.

use crate::entra::{Identity, ServicePrincipal};
use crate::host::Host;
use crate::ids::{ParseIdError, ProfileName, TenantId};
use crate::keyring::entry::Entry;
use crate::keyring::{Backend, EntryName, Keyring, Kind};
use crate::session::cloud_name::CloudName;
use crate::session::error::SessionError;
use crate::session::key_options::KeyOptions;
use crate::session::lock::{ProfileLock, SharedEntriesLock};
use crate::session::profile::{Flow, Method, Profile};
use crate::session::profiles::{Others, Profiles};
use crate::session::proof;

/// Who signed in, and what the keyring is to hold of it.
pub(crate) struct SignedIn {
    pub(crate) identity: Identity,
    pub(crate) method: Method,
    pub(crate) flow: Flow,
    pub(crate) entry: Option<Entry>,
}

impl SignedIn {
    /// Returns the sign-in of a service principal.
    ///
    /// # Errors
    /// [`ParseIdError`] if its client ID cannot be the name of an account.
    pub(crate) fn of_service_principal(
        tenant: TenantId,
        principal: ServicePrincipal,
    ) -> Result<Self, ParseIdError> {
        let account = principal.client_id.as_str().parse()?;
        let (method, entry) = proof::to_stored(principal.client_id, principal.proof);
        Ok(Self {
            identity: Identity { tenant, account },
            method,
            flow: Flow::default(),
            entry,
        })
    }

    /// Stores the sign-in under the name of a profile, and removes what the profile held for another account. Returns the
    /// profile.
    ///
    /// # Errors
    /// [`SessionError`] if the lock, the keyring or the profile cannot be used, and those of the copies.
    pub(crate) async fn store<C: Copies>(
        self,
        host: &Host,
        name: ProfileName,
        cloud: CloudName,
        keys: KeyOptions,
        keyring: &Keyring,
        copies: &C,
    ) -> Result<Profile, C::Error> {
        let profile = Profile {
            name,
            cloud,
            tenant: self.identity.tenant,
            account: self.identity.account,
            method: self.method,
            flow: self.flow,
            environment: None,
            keyring: keyring.backend(),
            keys,
            guest_in: Vec::new(),
        };
        // What is being issued meanwhile belongs to the sign-in that was there before.
        let lock = lock(host, &profile.name).await?;
        let profiles = Profiles::new(&host.paths);
        let before = profiles.load(&profile.name).ok();
        if let Some(entry) = &self.entry {
            keyring
                .save(&profile.entry(Kind::SignIn), entry.encode())
                .await
                .map_err(SessionError::from)?;
        }
        profiles.save(&profile).map_err(SessionError::from)?;
        copies.forget(&profile.name).await?;
        if let Some(before) = before {
            let others = profiles.others(&profile.name).map_err(SessionError::from)?;
            if before.account != profile.account || before.tenant != profile.tenant {
                copies.remove(&before, &others).await?;
            }
            remove_unused(host, &before, &profile, &others, &lock).await?;
        }
        Ok(profile)
    }
}

/// Where else than in the keyring something of a profile is held: in the agent, in files, in the user's own agent.
pub(crate) trait Copies {
    /// Why a copy could not be removed.
    type Error: From<SessionError>;

    /// Has the agent forget a profile; returns whether one is running.
    async fn forget(&self, name: &ProfileName) -> Result<bool, Self::Error>;

    /// Removes the other copies, and says what they were. Those that other profiles share stay.
    async fn remove(&self, profile: &Profile, others: &Others) -> Result<Vec<String>, Self::Error>;
}

/// The locks under which a sign-in is stored or removed.
struct Locked {
    _profile: ProfileLock,
    _shared: SharedEntriesLock,
}

async fn lock(host: &Host, name: &ProfileName) -> Result<Locked, SessionError> {
    let folder = host.paths.locks();
    let profile = ProfileLock::take(&folder, name).await?;
    let shared = SharedEntriesLock::take(&folder, &profile).await?;
    Ok(Locked {
        _profile: profile,
        _shared: shared,
    })
}

/// Removes the entries that neither the new sign-in nor another profile uses.
async fn remove_unused(
    host: &Host,
    before: &Profile,
    profile: &Profile,
    others: &Others,
    _lock: &Locked,
) -> Result<(), SessionError> {
    let is_used = |entry: &EntryName| {
        let is_ours = before.keyring == profile.keyring && profile.entries().any(|it| it == *entry);
        is_ours || others.needing(before.keyring, entry).is_some()
    };
    let stale: Vec<_> = before.entries().filter(|entry| !is_used(entry)).collect();
    if stale.is_empty() {
        return Ok(());
    }
    let Ok(keyring) = Keyring::open(before.keyring, host).await else {
        return Ok(());
    };
    for entry in stale {
        keyring.remove(&entry).await?;
    }
    Ok(())
}

/// What signing out of a profile did.
pub(crate) enum SignedOut {
    /// The sign-in was removed.
    Removed {
        keyring: Backend,
        /// The entries that were removed from the keyring.
        entries: Vec<StoredEntry>,
        /// The entries that stay, and the profiles that need them.
        kept: Vec<(StoredEntry, ProfileName)>,
        /// Whether a running agent forgot the profile.
        by_agent: bool,
        /// The other copies that were removed.
        copies: Vec<String>,
    },
    /// The profile could not be read, so that it names nothing in a keyring; its file was removed.
    Unreadable,
}

/// An entry of the keyring.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct StoredEntry {
    pub(crate) kind: Kind,
    /// The tenant, if it is another one than that of the profile.
    pub(crate) guest_in: Option<TenantId>,
}

/// Removes the sign-in of a profile and all that was acquired with it.
///
/// # Errors
/// [`SessionError`] if the profile is not signed in, or if the lock, the keyring or the profile cannot be used, and those of
/// the copies.
pub(crate) async fn sign_out<C: Copies>(
    host: &Host,
    name: &ProfileName,
    copies: &C,
) -> Result<SignedOut, C::Error> {
    let profiles = Profiles::new(&host.paths);
    let profile = match profiles.load(name) {
        Err(_) if profiles.names().map_err(SessionError::from)?.contains(name) => {
            profiles.remove(name).map_err(SessionError::from)?;
            return Ok(SignedOut::Unreadable);
        }
        loaded => loaded.map_err(SessionError::from)?,
    };
    let keyring = Keyring::open(profile.keyring, host)
        .await
        .map_err(SessionError::from)?;
    // The agent first, and under the lock of renewals: a renewal under way would write back what is removed here.
    let by_agent = copies.forget(name).await?;
    let lock = lock(host, name).await?;
    // A renewal that ended meanwhile has recorded its tenant in the profile, under the same lock.
    let profile = profiles.load(name).map_err(SessionError::from)?;
    let others = profiles.others(name).map_err(SessionError::from)?;
    let (entries, kept) = remove_entries(&profile, &keyring, &others, &lock).await?;
    let removed = copies.remove(&profile, &others).await?;
    profiles.remove(name).map_err(SessionError::from)?;
    Ok(SignedOut::Removed {
        keyring: keyring.backend(),
        entries,
        kept,
        by_agent,
        copies: removed,
    })
}

type Kept = Vec<(StoredEntry, ProfileName)>;

/// Removes what the keyring holds of a profile and no other profile needs. Returns what was removed, and what was kept.
async fn remove_entries(
    profile: &Profile,
    keyring: &Keyring,
    others: &Others,
    _lock: &Locked,
) -> Result<(Vec<StoredEntry>, Kept), SessionError> {
    let (mut removed, mut kept) = (Vec::new(), Vec::new());
    for tenant in profile.tenants() {
        for kind in [Kind::SignIn, Kind::Certificate] {
            let stored = StoredEntry {
                kind,
                guest_in: (*tenant != profile.tenant).then(|| tenant.clone()),
            };
            let entry = profile.entry_in(kind, tenant);
            match others.needing(keyring.backend(), &entry) {
                Some(other) if keyring.load(&entry).await?.is_some() => {
                    kept.push((stored, other.clone()));
                }
                None if keyring.remove(&entry).await? => removed.push(stored),
                _ => {}
            }
        }
    }
    Ok((removed, kept))
}
