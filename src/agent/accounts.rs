use std::sync::Arc;

use tokio::sync::{Mutex, Notify};

use super::account::{Account, Shared};
use super::ask::Tenancy;
use super::bounded::Bounded;
use super::caller::Caller;
use crate::azure;
use crate::cloud::Cloud;
use crate::entra;
use crate::failure::Failure;
use crate::host::Host;
use crate::host::clock::Clock;
use crate::host::http::Http;
use crate::ids::{ProfileName, SubscriptionId, TenantId};
use crate::line::Line;
use crate::session::{AccountSource, CloudName, EnvironmentIdentity, Profile, Profiles, Session};

/// How many subscriptions' tenants are remembered.
const MAX_SUBSCRIPTIONS: usize = 10_000;
/// How many domains' tenants are remembered.
const MAX_DOMAINS: usize = 1_000;
/// How many accounts are held that callers' variables name. A pipeline's variables change with every job.
const MAX_ENVIRONMENTS: usize = 16;

/// Who asks, and from where.
#[derive(Debug)]
pub(super) struct Origin {
    /// This machine, with the caller's variables.
    host: Host,
    /// The account that the caller's variables name.
    identity: Option<EnvironmentIdentity>,
}

/// The accounts that the agent holds, the one requested last first.
#[derive(Debug)]
pub(super) struct Accounts {
    host: Host,
    shared: Shared,
    opened: Mutex<Vec<Arc<Account>>>,
    /// Whose turn it is to open one.
    opening: Mutex<()>,
    tenants: Mutex<Bounded<(CloudName, SubscriptionId), TenantId>>,
    domains: Mutex<Bounded<(CloudName, TenantId), TenantId>>,
}

impl Accounts {
    pub(super) fn new(host: Host) -> Self {
        Self {
            host,
            shared: Shared::default(),
            opened: Mutex::default(),
            opening: Mutex::default(),
            tenants: Mutex::new(Bounded::new(MAX_SUBSCRIPTIONS)),
            domains: Mutex::new(Bounded::new(MAX_DOMAINS)),
        }
    }

    /// Returns who asks, as far as the caller says so.
    pub(super) fn caller(&self, caller: &Caller) -> Result<Origin, Failure> {
        let host = Host {
            env: caller.env()?,
            ..self.host.clone()
        };
        let identity = caller.identity()?;
        Ok(Origin { host, identity })
    }

    /// Returns this process as the one that asks.
    pub(super) fn this_process(&self) -> Origin {
        Origin {
            host: self.host.clone(),
            identity: None,
        }
    }

    /// Opens an account in a tenant, or finds it open, to be used as the caller reaches it. An account whose profile has changed
    /// since is opened again.
    pub(super) async fn open(
        &self,
        from: &Origin,
        name: &ProfileName,
        tenancy: &Tenancy,
    ) -> Result<Arc<Account>, Failure> {
        let identity = from.identity.as_ref();
        let identity = identity.filter(|identity| identity.profile.name == *name);
        let source = match identity {
            Some(identity) => AccountSource::from(identity.clone()),
            None => Profiles::new(&self.host.paths).load(name)?.into(),
        };
        let profile = source.profile();
        let tenant = match tenancy {
            Tenancy::Home => profile.tenant.clone(),
            Tenancy::Tenant(tenant) => tenant.clone(),
            Tenancy::OfSubscription(subscription) => {
                let found = self.tenant_of(from, &profile.cloud, subscription).await?;
                // What the cloud does not know, the account is not a guest of.
                found.unwrap_or_else(|| profile.tenant.clone())
            }
        };
        if let Some(account) = self.find(profile, &tenant).await {
            return self.as_reached(from, &account).await;
        }
        // While one is opened, which takes as long as its keyring does, those that are open can be found.
        let _turn = self.opening.lock().await;
        if let Some(account) = self.find(profile, &tenant).await {
            return self.as_reached(from, &account).await;
        }
        let sign_in = Session::open(&from.host, source, Some(&tenant)).await?;
        let account = Arc::new(Account::new(sign_in, self.shared.clone()));
        let mut opened = self.opened.lock().await;
        opened.insert(0, Arc::clone(&account));
        let mut environments = 0;
        opened.retain(|account| {
            environments += usize::from(!account.session.is_stored());
            account.session.is_stored() || environments <= MAX_ENVIRONMENTS
        });
        Ok(account)
    }

    /// Returns an account that is open as the caller reaches it, which is how it is renewed in the background from now on.
    async fn as_reached(&self, from: &Origin, account: &Account) -> Result<Arc<Account>, Failure> {
        let reached = Arc::new(account.for_caller(&from.host).await?);
        let mut opened = self.opened.lock().await;
        if let Some(held) = opened.iter_mut().find(|held| held.is_same(&reached)) {
            *held = Arc::clone(&reached);
        }
        Ok(reached)
    }

    /// Returns the account of a profile in a tenant if it is open, and puts it first. Those of an earlier sign-in of that
    /// profile are closed.
    async fn find(&self, profile: &Profile, tenant: &TenantId) -> Option<Arc<Account>> {
        let mut opened = self.opened.lock().await;
        opened.retain(|account| {
            let held = &account.session.profile;
            // What other callers' variables name are accounts beside this one.
            held.name != profile.name
                || held.environment != profile.environment
                || held.is_same_sign_in(profile)
        });
        let index = opened.iter().position(|account| {
            let held = &account.session.profile;
            held.name == profile.name
                && held.environment == profile.environment
                && account.session.tenant == *tenant
        })?;
        let account = opened.remove(index);
        opened.insert(0, Arc::clone(&account));
        Some(account)
    }

    /// Returns the tenant of a subscription, if the cloud knows the subscription.
    pub(super) async fn tenant_of(
        &self,
        from: &Origin,
        cloud_name: &CloudName,
        subscription: &SubscriptionId,
    ) -> Result<Option<TenantId>, Failure> {
        let key = (cloud_name.clone(), subscription.clone());
        if let Some(tenant) = self.tenants.lock().await.get(&key) {
            return Ok(Some(tenant.clone()));
        }
        let cloud = cloud_name.open()?;
        let http = http(from, &cloud)?;
        let found = azure::tenant_of_subscription(&http, &cloud, subscription).await?;
        if let Some(tenant) = &found {
            self.tenants.lock().await.insert(key, tenant.clone());
        }
        Ok(found)
    }

    /// Returns the ID of a tenant that is named by a domain.
    pub(super) async fn tenant_id(
        &self,
        from: &Origin,
        cloud_name: &CloudName,
        tenant: TenantId,
    ) -> Result<TenantId, Failure> {
        let key = (cloud_name.clone(), tenant.clone());
        if let Some(id) = self.domains.lock().await.get(&key) {
            return Ok(id.clone());
        }
        let cloud = cloud_name.open()?;
        let id = entra::tenant_id(&http(from, &cloud)?, &cloud, tenant).await?;
        self.domains.lock().await.insert(key, id.clone());
        Ok(id)
    }

    /// Returns the accounts that are open, or, if none is, those of all profiles, for `ssh-add -l`.
    pub(super) async fn all(&self) -> Vec<Arc<Account>> {
        let is_empty = self.opened.lock().await.is_empty();
        if is_empty {
            let from = &self.this_process();
            let names = Profiles::new(&self.host.paths).names().unwrap_or_default();
            for name in names.iter().rev() {
                // An account that cannot be opened has no key to offer; its next caller gets the error.
                let Ok(account) = self.open(from, name, &Tenancy::Home).await else {
                    continue;
                };
                for tenant in &account.session.profile.guest_in {
                    let _opened = self
                        .open(from, name, &Tenancy::Tenant(tenant.clone()))
                        .await;
                }
            }
        }
        self.opened().await
    }

    /// Returns the accounts that are open.
    pub(super) async fn opened(&self) -> Vec<Arc<Account>> {
        self.opened.lock().await.clone()
    }

    /// Says what could not be stored of the accounts that are open, and why.
    pub(super) async fn unsaved(&self) -> Vec<Line> {
        let opened = self.opened().await;
        let unsaved = opened
            .iter()
            .flat_map(|account| account.session.unsaved_warnings());
        let mut unsaved: Vec<String> = unsaved.collect();
        unsaved.sort();
        unsaved.dedup();
        unsaved.into_iter().map(Line::from).collect()
    }

    pub(super) async fn forget(&self, name: &ProfileName) {
        self.opened
            .lock()
            .await
            .retain(|account| account.session.profile.name != *name);
    }

    pub(super) async fn names(&self) -> Vec<ProfileName> {
        let opened = self.opened.lock().await;
        let mut names: Vec<_> = opened
            .iter()
            .map(|account| account.session.profile.name.clone())
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

fn http(from: &Origin, cloud: &Cloud) -> Result<Http, Failure> {
    Ok(Http::for_cloud(cloud, &from.host.env)?)
}
