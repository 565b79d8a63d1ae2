use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::cloud::Cloud;
use crate::host::env::Env;
use crate::host::http::Http;
use crate::host::{Host, NETWORK_VARIABLES, SESSION_BUS_VARIABLE};
use crate::keyring::Keyring;
use crate::session::error::SessionError;

/// How many settings are held for one account: those of a few shells that take turns.
const MAX_LINKS: usize = 4;

static NEXT: AtomicU64 = AtomicU64::new(0);

/// The network and the keyring as one caller reaches them.
#[derive(Debug)]
pub(super) struct Link {
    /// Tells it from the others of this process.
    pub(super) number: u64,
    /// The caller's variables of the network.
    network: Env,
    /// The caller's D-Bus, if it names one.
    bus: Option<String>,
    pub(super) http: Http,
    pub(super) keyring: Keyring,
}

impl Link {
    pub(super) fn new(host: &Host, cloud: &Cloud, keyring: Keyring) -> Result<Self, SessionError> {
        Ok(Self {
            number: NEXT.fetch_add(1, Ordering::Relaxed),
            network: host.env.only(&NETWORK_VARIABLES),
            bus: bus(host),
            http: Http::for_cloud(cloud, &host.env)?,
            keyring,
        })
    }
}

fn bus(host: &Host) -> Option<String> {
    host.env.var(SESSION_BUS_VARIABLE).map(str::to_owned)
}

/// The links of an account, the latest first.
#[derive(Debug, Default)]
pub(super) struct Links(Mutex<Vec<Arc<Link>>>);

impl Links {
    /// Finds the one of a caller with these settings. A caller that names no D-Bus takes the last one's.
    pub(super) fn find(&self, host: &Host) -> Option<Arc<Link>> {
        let (network, bus) = (host.env.only(&NETWORK_VARIABLES), bus(host));
        let is_same =
            |link: &&Arc<Link>| link.network == network && (bus.is_none() || link.bus == bus);
        self.lock().iter().find(is_same).cloned()
    }

    /// Returns a keyring at the D-Bus that the caller names, if one is open; the last one if it names none.
    pub(super) fn keyring_for(&self, host: &Host) -> Option<Keyring> {
        let bus = bus(host);
        let links = self.lock();
        let found = links.iter().find(|link| bus.is_none() || link.bus == bus);
        found.map(|link| link.keyring.clone())
    }

    /// Puts a link first, and lets go of the one that was used longest ago if there are too many.
    pub(super) fn put_first(&self, link: &Arc<Link>) {
        let mut links = self.lock();
        links.retain(|other| !Arc::ptr_eq(other, link));
        links.insert(0, Arc::clone(link));
        links.truncate(MAX_LINKS);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Link>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
