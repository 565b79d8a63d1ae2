use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use super::super::bounded::{Bounded, MAX_MACHINES};
use crate::azure::VmAddresses;
use crate::ids::ResourceId;
use crate::session::SessionError;

/// How long the addresses of a VM are cached. If it does not answer there, they are looked up again at once; until then, a
/// playbook or a loop of a hundred connections asks Azure once.
const LIFETIME: Duration = Duration::from_secs(300);
/// How long not to look again even if the VM does not answer or does not run: a hundred connections that fail at once ask
/// Azure once, too.
const LEAST_LIFETIME: Duration = Duration::from_secs(2);

/// Where an account has seen VMs.
#[derive(Debug)]
pub(in super::super) struct AddressBook {
    pages: Mutex<Bounded<ResourceId, Arc<Mutex<Option<Seen>>>>>,
}

#[derive(Debug)]
struct Seen {
    addresses: VmAddresses,
    at: Instant,
}

impl AddressBook {
    /// Returns the cached addresses if they are good enough, or else looks them up, once for all callers.
    pub(in super::super) async fn find(
        &self,
        vm: &ResourceId,
        unreached: Option<&VmAddresses>,
        look_up: impl Future<Output = Result<VmAddresses, SessionError>>,
    ) -> Result<VmAddresses, SessionError> {
        let page = {
            let mut pages = self.pages.lock().await;
            Arc::clone(pages.get_or_default(vm.clone()))
        };
        let mut seen = page.lock().await;
        let is_good = |seen: &&Seen| seen.is_good(Instant::now(), unreached);
        if let Some(seen) = seen.as_ref().filter(is_good) {
            return Ok(seen.addresses.clone());
        }
        let addresses = look_up.await?;
        *seen = Some(Seen {
            addresses: addresses.clone(),
            at: Instant::now(),
        });
        Ok(addresses)
    }
}

impl Default for AddressBook {
    fn default() -> Self {
        Self {
            pages: Mutex::new(Bounded::new(MAX_MACHINES)),
        }
    }
}

impl Seen {
    fn is_good(&self, now: Instant, unreached: Option<&VmAddresses>) -> bool {
        let Self { addresses, at } = self;
        let is_doubtful = addresses.power.is_off()
            || (addresses.public.is_empty() && addresses.private.is_empty())
            || unreached == Some(addresses);
        let lifetime = if is_doubtful {
            LEAST_LIFETIME
        } else {
            LIFETIME
        };
        now.duration_since(*at) < lifetime
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::azure::PowerState;
    use crate::keyring::KeyringError;

    fn at(address: &str, power: PowerState) -> VmAddresses {
        VmAddresses {
            public: vec![address.parse().unwrap()],
            private: Vec::new(),
            power,
        }
    }

    fn vm() -> ResourceId {
        "/subscriptions/0b1f6471-1bf0-4dda-aec3-cb9272f09590/resourceGroups/rg-vm/providers/\
            Microsoft.Compute/virtualMachines/vm01"
            .parse()
            .unwrap()
    }

    #[test]
    fn what_is_doubtful_is_good_for_a_moment_and_the_rest_for_minutes() {
        let running = at("192.0.2.1", PowerState::Running);
        let elsewhere = at("192.0.2.2", PowerState::Running);
        let off = at("192.0.2.1", PowerState::Deallocated);
        let nowhere = VmAddresses {
            public: Vec::new(),
            ..running.clone()
        };
        for (addresses, unreached, lifetime) in [
            (&running, None, LIFETIME),
            (&running, Some(&elsewhere), LIFETIME),
            (&running, Some(&running), LEAST_LIFETIME),
            (&off, None, LEAST_LIFETIME),
            (&nowhere, None, LEAST_LIFETIME),
        ] {
            let seen = Seen {
                addresses: addresses.clone(),
                at: Instant::now(),
            };
            let moment = Duration::from_millis(1);
            assert!(seen.is_good(seen.at + lifetime - moment, unreached));
            assert!(!seen.is_good(seen.at + lifetime, unreached));
        }
    }

    #[tokio::test]
    async fn of_many_askers_one_looks_it_up_and_a_failure_is_not_kept() {
        let (book, asked) = (AddressBook::default(), Cell::new(0));
        let addresses = at("192.0.2.1", PowerState::Running);
        let look_up = async |outcome: Result<VmAddresses, SessionError>| {
            asked.set(asked.get() + 1);
            tokio::task::yield_now().await;
            outcome
        };
        let vm = vm();
        let refused = book.find(&vm, None, look_up(Err(KeyringError::NotOpen.into())));
        assert!(matches!(
            refused.await,
            Err(SessionError::Keyring(KeyringError::NotOpen))
        ));
        let finders = (0..100).map(|_| book.find(&vm, None, look_up(Ok(addresses.clone()))));
        for found in futures_util::future::join_all(finders).await {
            assert_eq!(found.unwrap(), addresses);
        }
        assert_eq!(asked.get(), 2, "one that failed, and one for a hundred");
    }
}
