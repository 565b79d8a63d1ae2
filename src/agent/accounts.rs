use std::sync::Arc;

use tokio::sync::{Mutex, Notify};

use super::account::{Account, Shared};
use super::ask::Tenancy;
use super::bounded::Bounded;
use crate::failure::Failure;
use crate::host::Host;
use crate::host::clock::Clock;
use crate::ids::{ProfileName, SubscriptionId, TenantId};
use crate::profile::{CloudName, Profile, Profiles};
use crate::sign_in::SignIn;

/// How many subscriptions' tenants are remembered.
const MAX_SUBSCRIPTIONS: usize = 10_000;

/// What the agent holds: the accounts that somebody has asked for, the last one asked for first.
#[derive(Debug)]
pub(super) struct Accounts {
    host: Host,
    shared: Shared,
    opened: Mutex<Vec<Arc<Account>>>,
    /// Whose turn it is to open one.
    opening: Mutex<()>,
    tenants: Mutex<Bounded<(CloudName, SubscriptionId), TenantId>>,
}

impl Accounts {
    pub(super) fn new(host: Host) -> Self {
        Self {
            host,
            shared: Shared::default(),
            opened: Mutex::default(),
            opening: Mutex::default(),
            tenants: Mutex::new(Bounded::new(MAX_SUBSCRIPTIONS)),
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
        if let Some(account) = self.find(&profile, &tenant).await {
            return Ok(account);
        }
        // While one is opened, which takes as long as its keyring does, those that are open can be found.
        let _turn = self.opening.lock().await;
        if let Some(account) = self.find(&profile, &tenant).await {
            return Ok(account);
        }
        let sign_in = SignIn::open(&self.host, profile).await?;
        let sign_in = sign_in.in_tenant(tenant);
        let account = Arc::new(Account::new(sign_in, self.shared.clone()));
        self.opened.lock().await.insert(0, Arc::clone(&account));
        Ok(account)
    }

    /// Returns the account of a profile in a tenant if it is open, and puts it first. Those of an earlier sign-in of that
    /// profile are closed.
    async fn find(&self, profile: &Profile, tenant: &TenantId) -> Option<Arc<Account>> {
        let mut opened = self.opened.lock().await;
        opened.retain(|account| {
            account.sign_in().profile.name != profile.name
                || account.sign_in().profile.is_same_sign_in(profile)
        });
        let index = opened.iter().position(|account| {
            account.sign_in().profile.name == profile.name && account.sign_in().tenant == *tenant
        })?;
        let account = opened.remove(index);
        opened.insert(0, Arc::clone(&account));
        Some(account)
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
                for tenant in &account.sign_in().profile.guest_in {
                    let _opened = self.open(name, &Tenancy::Tenant(tenant.clone())).await;
                }
            }
        }
        self.opened().await
    }

    /// Returns the accounts that are open.
    pub(super) async fn opened(&self) -> Vec<Arc<Account>> {
        self.opened.lock().await.clone()
    }

    pub(super) async fn forget(&self, name: &ProfileName) {
        self.opened
            .lock()
            .await
            .retain(|account| account.sign_in().profile.name != *name);
    }

    pub(super) async fn names(&self) -> Vec<ProfileName> {
        let opened = self.opened.lock().await;
        let mut names: Vec<_> = opened
            .iter()
            .map(|account| account.sign_in().profile.name.clone())
            .collect();
        names.sort();
        names.dedup();
        names
    }

    pub(super) fn clock(&self) -> &Arc<dyn Clock> {
        &self.host.clock
    }

    /// Returns what is rung when an account has got a new certificate.
    pub(super) fn changed(&self) -> &Notify {
        &self.shared.changed
    }
}
