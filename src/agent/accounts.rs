use std::collections::HashMap;
use std::sync::{Arc, Mutex as StdMutex, PoisonError};

use tokio::sync::Mutex;

use crate::azure::RelayCredentials;
use crate::certificate::KeyPair;
use crate::failure::Failure;
use crate::host::Host;
use crate::ids::{ProfileName, ResourceId};
use crate::issue::{self, Issued};
use crate::profile::Profiles;
use crate::sign_in::SignIn;

/// How many machines' relay credentials are held for one account.
const MAX_MACHINES: usize = 10_000;

/// What the agent holds: the accounts that somebody has asked for, the last one asked for first.
#[derive(Debug)]
pub(super) struct Accounts {
    host: Host,
    opened: Mutex<Vec<(ProfileName, Arc<Account>)>>,
}

/// What is held for one account.
#[derive(Debug)]
pub(super) struct Account {
    sign_in: SignIn,
    issued: Mutex<Option<Issued>>,
    spare: Arc<StdMutex<Option<KeyPair>>>,
    relays: Mutex<HashMap<ResourceId, Arc<Mutex<Option<RelayCredentials>>>>>,
}

impl Accounts {
    pub(super) fn new(host: Host) -> Self {
        Self {
            host,
            opened: Mutex::new(Vec::new()),
        }
    }

    /// Opens an account, or finds it open. An account whose profile has changed since is opened anew.
    pub(super) async fn open(&self, name: &ProfileName) -> Result<Arc<Account>, Failure> {
        let profile = Profiles::new(&self.host.paths).load(name)?;
        let mut opened = self.opened.lock().await;
        let found = opened
            .iter()
            .position(|(opened, _)| opened == name)
            .map(|index| opened.remove(index).1)
            .filter(|account| account.sign_in.profile == profile);
        let account = match found {
            Some(account) => account,
            None => Arc::new(Account {
                sign_in: SignIn::open(&self.host, profile).await?,
                issued: Mutex::new(None),
                spare: Arc::default(),
                relays: Mutex::default(),
            }),
        };
        opened.insert(0, (name.clone(), Arc::clone(&account)));
        Ok(account)
    }

    /// Returns the accounts that are open, or, if none is, those of all profiles: somebody looks with `ssh-add -l`.
    pub(super) async fn all(&self) -> Vec<Arc<Account>> {
        let is_empty = self.opened.lock().await.is_empty();
        if is_empty {
            let names = Profiles::new(&self.host.paths).names().unwrap_or_default();
            for name in names.iter().rev() {
                // An account that cannot be opened has no key to offer; whoever asks for it is told why.
                let _opened = self.open(name).await;
            }
        }
        let opened = self.opened.lock().await;
        opened
            .iter()
            .map(|(_, account)| Arc::clone(account))
            .collect()
    }

    pub(super) async fn forget(&self, name: &ProfileName) {
        self.opened
            .lock()
            .await
            .retain(|(opened, _)| opened != name);
    }

    pub(super) async fn names(&self) -> Vec<ProfileName> {
        let opened = self.opened.lock().await;
        opened.iter().map(|(name, _)| name.clone()).collect()
    }
}

impl Account {
    /// Returns a certificate that is not due. Of any number of askers one renews, and the others wait for it.
    pub(super) async fn certificate(&self) -> Result<Issued, Failure> {
        let mut issued = self.issued.lock().await;
        let now = self.sign_in.clock.now();
        if let Some(held) = issued.as_ref().filter(|held| !held.is_due(now)) {
            return Ok(held.clone());
        }
        let fresh = issue::fresh(&self.sign_in, || take(&self.spare)).await;
        let fresh = match (fresh, issued.as_ref()) {
            (Err(_), Some(held)) if held.is_live(now) => held.clone(),
            (outcome, _) => outcome?,
        };
        *issued = Some(fresh.clone());
        self.make_spare();
        Ok(fresh)
    }

    /// Returns the certificate that is held or stored and still lives, without asking Entra for one.
    pub(super) async fn certificate_at_hand(&self) -> Option<Issued> {
        let mut issued = self.issued.lock().await;
        if issued.is_none() {
            *issued = issue::stored(&self.sign_in).await.ok().flatten();
        }
        let now = self.sign_in.clock.now();
        issued.clone().filter(|held| held.is_live(now))
    }

    pub(super) fn sign_in(&self) -> &SignIn {
        &self.sign_in
    }

    /// Returns relay credentials for a machine, and whether it was set up just now.
    pub(super) async fn relay_credentials(
        &self,
        machine: &ResourceId,
        port: u16,
        anew: bool,
    ) -> Result<(RelayCredentials, bool), Failure> {
        let slot = {
            let mut relays = self.relays.lock().await;
            if relays.len() >= MAX_MACHINES {
                relays.clear();
            }
            Arc::clone(relays.entry(machine.clone()).or_default())
        };
        let mut held = slot.lock().await;
        let now = self.sign_in.clock.now();
        if let Some(credentials) = held.as_ref().filter(|held| !anew && held.are_live(now)) {
            return Ok((credentials.clone(), false));
        }
        let manager = self.sign_in.resource_manager().await?;
        let (credentials, is_new) = manager.relay_credentials(machine, port).await?;
        *held = Some(credentials.clone());
        Ok((credentials, is_new))
    }

    /// Makes the key pair of the next certificate, so that nobody waits for it then.
    fn make_spare(&self) {
        let spare = Arc::clone(&self.spare);
        if !is_empty(&spare) {
            return;
        }
        tokio::spawn(async move {
            if let Ok(key_pair) = issue::make_key_pair().await {
                *spare.lock().unwrap_or_else(PoisonError::into_inner) = Some(key_pair);
            }
        });
    }
}

fn take(spare: &StdMutex<Option<KeyPair>>) -> Option<KeyPair> {
    spare.lock().unwrap_or_else(PoisonError::into_inner).take()
}

fn is_empty(spare: &StdMutex<Option<KeyPair>>) -> bool {
    spare
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .is_none()
}
