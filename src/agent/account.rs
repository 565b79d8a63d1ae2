//! What the agent holds for one account in one tenant, and how one caller reaches it.
//!
//! Several callers use one account at once. Locks are taken in this order, and none twice:
//!
//! ```text
//! 1  Accounts::opening            while a keyring is opened
//! 2  Held::turn                   while a certificate is issued
//!    a page of relays, addresses  while a request about one machine runs
//! 3  Accounts::opened, tenants,   for a moment
//!    domains, the books' pages
//! 4  Held::renewal, then issued   never across an await
//! ```
//!
//! The locks of row 2 are of different things: none is taken while another is held.

mod addresses;
mod issued;
mod relays;

use std::sync::{Arc, Mutex as StdMutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex, Notify};
use tokio::time::sleep;

use self::addresses::AddressBook;
use self::issued::IssuedCertificates;
use self::relays::RelayBook;
use super::renewal::{Renewal, jittered};
use crate::azure::{AzureError, RelayCredentials, ResourceManager, VmAddresses};
use crate::host::{Host, random};
use crate::ids::ResourceId;
use crate::issue::{Issued, SpareKeys};
use crate::session::{Retry, Session, SessionError};
use crate::time::{Spoken, UnixTime};

/// How many requests to Entra or Azure a waiting caller is worth.
pub(super) const MAX_TRIES: u32 = 3;
/// The pause between two of these tries.
pub(super) const RETRY_PAUSE: Duration = Duration::from_millis(300);
/// How much of the reason of a failed renewal `ssh-add -l` shows, in characters.
const MAX_REASON_CHARS: usize = 100;

/// One account in one tenant, as one caller reaches it.
#[derive(Clone, Debug)]
pub(super) struct Account {
    pub(super) session: Session,
    pub(super) held: Arc<Held>,
    pub(super) shared: Shared,
}

/// State of one account in one tenant, shared by all callers.
#[derive(Debug, Default)]
pub(super) struct Held {
    pub(super) issued: IssuedCertificates,
    /// Held by the caller that renews the certificate.
    pub(super) turn: Mutex<()>,
    renewal: StdMutex<Renewal>,
    addresses: AddressBook,
    relays: RelayBook,
}

/// What all accounts share.
#[derive(Clone, Debug, Default)]
pub(super) struct Shared {
    /// Key pairs that are made ahead.
    pub(super) keys: SpareKeys,
    /// Notified when an account has got a new certificate.
    pub(super) changed: Arc<Notify>,
}

impl Account {
    pub(super) fn new(session: Session, shared: Shared) -> Self {
        Self {
            session,
            held: Arc::default(),
            shared,
        }
    }

    /// Returns the account as this caller reaches it. If that differs from the last caller's network or keyring, what failed
    /// before may work.
    pub(super) async fn for_caller(&self, host: &Host) -> Result<Self, SessionError> {
        let session = self.session.for_caller(host).await?;
        if session.link_number() != self.session.link_number() {
            self.wake();
        }
        Ok(Self {
            session,
            ..self.clone()
        })
    }

    /// Returns whether this is the same account, as another caller reaches it.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.held, &other.held)
    }

    /// Tries a failed renewal again at once.
    pub(super) fn wake(&self) {
        self.held.renewal().wake();
    }

    /// Forgets key and certificate, and serves none to ssh until one of our own programs asks.
    pub(super) fn withdraw(&self) {
        self.held.issued.withdraw();
    }

    /// Serves ssh again: one of our own programs asks.
    pub(super) fn restore(&self) {
        self.held.issued.restore();
    }

    pub(super) fn is_withdrawn(&self) -> bool {
        self.held.issued.is_withdrawn()
    }

    /// Returns whether the key may be used from the machines that the agent is forwarded to.
    pub(super) const fn may_be_forwarded(&self) -> bool {
        self.session.profile.keys.may_be_forwarded
    }

    /// Says what `ssh-add -l` shows: whose it is, how long it lasts, and why it could not be renewed.
    pub(super) fn comment(&self, issued: &Issued, now: UnixTime) -> String {
        let Session {
            profile, tenant, ..
        } = &self.session;
        let left = issued.certificate.validity().1.since(now);
        let comment = format!("{} {} {} left", profile.account, tenant, Spoken(left));
        match self.held.renewal().failure() {
            Some(failure) => format!(
                "{comment}, not renewed: {}",
                failure.error.shortened(MAX_REASON_CHARS)
            ),
            None => comment,
        }
    }

    /// Returns relay credentials for a machine, and whether it was set up just now. Cached ones that the relay has `refused`
    /// are replaced.
    pub(super) async fn relay_credentials(
        &self,
        machine: &ResourceId,
        port: u16,
        refused: Option<&str>,
    ) -> Result<(RelayCredentials, bool), SessionError> {
        let fetch =
            self.ask_azure(|manager| async move { manager.relay_credentials(machine, port).await });
        let now = self.session.clock.now();
        self.held.relays.find(machine, refused, now, fetch).await
    }

    /// Returns the addresses of a VM. Cached ones that did not answer are looked up again.
    pub(super) async fn vm_addresses(
        &self,
        vm: &ResourceId,
        unreached: Option<&VmAddresses>,
    ) -> Result<VmAddresses, SessionError> {
        let look_up = self.ask_azure(|manager| async move { manager.vm_addresses(vm).await });
        self.held.addresses.find(vm, unreached, look_up).await
    }

    /// Sends a request to Azure Resource Manager, and retries a few times if it may pass.
    pub(super) async fn ask_azure<T, F>(
        &self,
        question: impl Fn(Arc<ResourceManager>) -> F,
    ) -> Result<T, SessionError>
    where
        F: Future<Output = Result<T, AzureError>>,
    {
        let mut left = MAX_TRIES;
        loop {
            left = left.saturating_sub(1);
            match self.session.ask_azure(&question).await {
                Err(error) if left > 0 && error.retry() == Retry::Now => {
                    sleep(jittered(RETRY_PAUSE, random::spread())).await;
                }
                outcome => return outcome,
            }
        }
    }
}

impl Held {
    pub(super) fn renewal(&self) -> MutexGuard<'_, Renewal> {
        self.renewal.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
