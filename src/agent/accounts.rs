use std::collections::HashMap;
use std::sync::{Arc, Mutex as StdMutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use super::ask::Tenancy;
use crate::azure::RelayCredentials;
use crate::certificate::KeyPair;
use crate::failure::Failure;
use crate::host::Host;
use crate::ids::{ProfileName, ResourceId, SubscriptionId, TenantId};
use crate::issue::{self, Issued};
use crate::profile::{CloudName, Profile, Profiles};
use crate::sign_in::SignIn;

/// How many machines' relay credentials are held for one account.
const MAX_MACHINES: usize = 10_000;
/// How many subscriptions' tenants are remembered.
const MAX_SUBSCRIPTIONS: usize = 10_000;
/// How many certificates that a new one has replaced are held for one account.
const MAX_REPLACED: usize = 16;
/// How long after a failed renewal the next one is tried, while the certificate still lives.
const RENEWAL_PAUSE: Duration = Duration::from_secs(30);
/// How long a machine that was set up may take until it listens.
const SET_UP_TIME: Duration = Duration::from_secs(90);

/// What the agent holds: the accounts that somebody has asked for, the last one asked for first.
#[derive(Debug)]
pub(super) struct Accounts {
    host: Host,
    opened: Mutex<Vec<Arc<Account>>>,
    tenants: Mutex<HashMap<(CloudName, SubscriptionId), TenantId>>,
}

/// What is held for one account in one tenant.
#[derive(Debug)]
pub(super) struct Account {
    sign_in: SignIn,
    /// The newest certificate first. Those that it has replaced still sign: a login under way has been offered one of them.
    issued: StdMutex<Vec<Issued>>,
    renewal: Mutex<Renewal>,
    spare: StdMutex<Option<KeyPair>>,
    relays: Mutex<HashMap<ResourceId, Arc<Mutex<Relay>>>>,
}

#[derive(Debug, Default)]
struct Renewal {
    failed: Option<Instant>,
}

#[derive(Debug, Default)]
struct Relay {
    credentials: Option<RelayCredentials>,
    set_up: Option<Instant>,
}

impl Accounts {
    pub(super) fn new(host: Host) -> Self {
        Self {
            host,
            opened: Mutex::default(),
            tenants: Mutex::default(),
        }
    }

    /// Opens an account in a tenant, or finds it open. An account whose profile has changed since is opened anew.
    pub(super) async fn open(
        &self,
        name: &ProfileName,
        tenancy: &Tenancy,
    ) -> Result<Arc<Account>, Failure> {
        let profile = Profiles::new(&self.host.paths).load(name)?;
        let tenant = match tenancy {
            Tenancy::Home => profile.tenant.clone(),
            Tenancy::Tenant(tenant) => tenant.clone(),
            Tenancy::OfSubscription(subscription) => self.tenant_of(&profile, subscription).await?,
        };
        let mut opened = self.opened.lock().await;
        opened.retain(|account| {
            account.sign_in.profile.name != *name
                || account.sign_in.profile.is_same_sign_in(&profile)
        });
        let is_wanted = |account: &Arc<Account>| {
            account.sign_in.profile.name == *name && account.sign_in.tenant == tenant
        };
        let account = match opened.iter().position(is_wanted) {
            Some(index) => opened.remove(index),
            None => {
                let sign_in = SignIn::open(&self.host, profile).await?;
                Arc::new(Account::new(sign_in.in_tenant(tenant)))
            }
        };
        opened.insert(0, Arc::clone(&account));
        Ok(account)
    }

    /// Returns the tenant of a subscription; that of the profile if the cloud does not know the subscription.
    async fn tenant_of(
        &self,
        profile: &Profile,
        subscription: &SubscriptionId,
    ) -> Result<TenantId, Failure> {
        let key = (profile.cloud.clone(), subscription.clone());
        if let Some(tenant) = self.tenants.lock().await.get(&key) {
            return Ok(tenant.clone());
        }
        let sign_in = SignIn::open(&self.host, profile.clone()).await?;
        let Some(tenant) = sign_in.tenant_of(subscription).await? else {
            return Ok(profile.tenant.clone());
        };
        let mut tenants = self.tenants.lock().await;
        if tenants.len() >= MAX_SUBSCRIPTIONS {
            tenants.clear();
        }
        tenants.insert(key, tenant.clone());
        Ok(tenant)
    }

    /// Returns the accounts that are open, or, if none is, those of all profiles: somebody looks with `ssh-add -l`.
    pub(super) async fn all(&self) -> Vec<Arc<Account>> {
        let is_empty = self.opened.lock().await.is_empty();
        if is_empty {
            let names = Profiles::new(&self.host.paths).names().unwrap_or_default();
            for name in names.iter().rev() {
                // An account that cannot be opened has no key to offer; whoever asks for it is told why.
                let Ok(account) = self.open(name, &Tenancy::Home).await else {
                    continue;
                };
                for tenant in &account.sign_in.profile.guest_in {
                    let _opened = self.open(name, &Tenancy::Tenant(tenant.clone())).await;
                }
            }
        }
        self.opened.lock().await.clone()
    }

    pub(super) async fn forget(&self, name: &ProfileName) {
        self.opened
            .lock()
            .await
            .retain(|account| account.sign_in.profile.name != *name);
    }

    pub(super) async fn names(&self) -> Vec<ProfileName> {
        let opened = self.opened.lock().await;
        let mut names: Vec<_> = opened
            .iter()
            .map(|account| account.sign_in.profile.name.clone())
            .collect();
        names.sort();
        names.dedup();
        names
    }
}

impl Account {
    fn new(sign_in: SignIn) -> Self {
        Self {
            sign_in,
            issued: StdMutex::default(),
            renewal: Mutex::default(),
            spare: StdMutex::default(),
            relays: Mutex::default(),
        }
    }

    /// Returns a certificate that can be used.
    ///
    /// One that is due is renewed in the background while it is served; only if it is about to end, or there is none, is
    /// the renewal waited for. Of any number of askers one renews.
    pub(super) async fn certificate(self: &Arc<Self>) -> Result<Issued, Failure> {
        let now = self.sign_in.clock.now();
        match self.newest() {
            Some(held) if !held.is_due(now) => Ok(held),
            Some(held) if !held.is_urgent(now) => {
                let account = Arc::clone(self);
                tokio::spawn(async move {
                    // It is tried again at the next question; whoever needs it then is told why it fails.
                    let _renewed = account.renew().await;
                });
                Ok(held)
            }
            held => match (self.renew().await, held) {
                (Err(_), Some(held)) if held.is_live(self.sign_in.clock.now()) => Ok(held),
                (outcome, _) => outcome,
            },
        }
    }

    async fn renew(self: &Arc<Self>) -> Result<Issued, Failure> {
        let mut renewal = self.renewal.lock().await;
        let now = self.sign_in.clock.now();
        // Another asker may have renewed, or failed to, while this one waited.
        if let Some(held) = self.newest() {
            let has_just_failed = renewal
                .failed
                .is_some_and(|failed| failed.elapsed() < RENEWAL_PAUSE);
            if !held.is_due(now) || (has_just_failed && held.is_live(now)) {
                return Ok(held);
            }
        }
        let outcome = issue::fresh(&self.sign_in, || lock(&self.spare).take()).await;
        renewal.failed = outcome.is_err().then(Instant::now);
        let issued = outcome?;
        self.hold(issued.clone());
        self.make_spare();
        Ok(issued)
    }

    fn newest(&self) -> Option<Issued> {
        lock(&self.issued).first().cloned()
    }

    fn hold(&self, issued: Issued) {
        let now = self.sign_in.clock.now();
        let mut held = lock(&self.issued);
        held.retain(|held| {
            held.is_live(now) && held.certificate.blob() != issued.certificate.blob()
        });
        held.insert(0, issued);
        held.truncate(1 + MAX_REPLACED);
    }

    /// Returns the newest certificate that is held or stored and still lives, without asking Entra for one.
    pub(super) async fn certificate_at_hand(&self) -> Option<Issued> {
        if self.newest().is_none()
            && let Ok(Some(stored)) = issue::stored(&self.sign_in).await
        {
            self.hold(stored);
        }
        let now = self.sign_in.clock.now();
        self.newest().filter(|held| held.is_live(now))
    }

    /// Returns the key pair of a key blob or certificate blob: of those that are held, or else of the one that is stored,
    /// which another process may have issued since.
    pub(super) async fn key_pair(&self, blob: &[u8]) -> Option<Arc<KeyPair>> {
        let find = || {
            lock(&self.issued)
                .iter()
                .find(|held| {
                    held.certificate.blob() == blob || held.key_pair.public_key().blob() == blob
                })
                .map(|held| Arc::clone(&held.key_pair))
        };
        if let Some(found) = find() {
            return Some(found);
        }
        self.hold(issue::stored(&self.sign_in).await.ok()??);
        find()
    }

    pub(super) const fn sign_in(&self) -> &SignIn {
        &self.sign_in
    }

    /// Returns relay credentials for a machine, and whether it was set up just now. Those at hand are not given to whoever
    /// was `refused` with them.
    pub(super) async fn relay_credentials(
        &self,
        machine: &ResourceId,
        port: u16,
        refused: Option<&str>,
    ) -> Result<(RelayCredentials, bool), Failure> {
        let slot = {
            let mut relays = self.relays.lock().await;
            if relays.len() >= MAX_MACHINES {
                relays.clear();
            }
            Arc::clone(relays.entry(machine.clone()).or_default())
        };
        let mut relay = slot.lock().await;
        let now = self.sign_in.clock.now();
        let is_usable = |held: &&RelayCredentials| {
            held.are_live(now) && refused.is_none_or(|refused| held.fingerprint() != refused)
        };
        if let Some(credentials) = relay.credentials.as_ref().filter(is_usable) {
            let is_new = relay
                .set_up
                .is_some_and(|set_up| set_up.elapsed() < SET_UP_TIME);
            return Ok((credentials.clone(), is_new));
        }
        let (credentials, is_new) = self
            .sign_in
            .ask_azure(|manager| async move { manager.relay_credentials(machine, port).await })
            .await?;
        relay.credentials = Some(credentials.clone());
        if is_new {
            relay.set_up = Some(Instant::now());
        }
        Ok((credentials, is_new))
    }

    /// Makes the key pair of the next certificate, so that nobody waits for it then.
    fn make_spare(self: &Arc<Self>) {
        if lock(&self.spare).is_some() {
            return;
        }
        let account = Arc::clone(self);
        tokio::spawn(async move {
            if let Ok(key_pair) = issue::make_key_pair().await {
                *lock(&account.spare) = Some(key_pair);
            }
        });
    }
}

fn lock<T>(mutex: &StdMutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
