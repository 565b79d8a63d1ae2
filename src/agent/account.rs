use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex as StdMutex, MutexGuard, PoisonError};
use std::time::Duration;

use ring::rand::{self, SystemRandom};
use tokio::sync::{Mutex, Notify};
use tokio::time::{Instant, sleep};

use super::addresses::AddressBook;
use super::bounded::Bounded;
use super::renewal::{Renewal, is_passing, jittered};
use super::tend::LOOK_INTERVAL;
use crate::azure::{AzureError, RelayCredentials, ResourceManager};
use crate::certificate::KeyPair;
use crate::failure::Failure;
use crate::host::Host;
use crate::ids::ResourceId;
use crate::issue::{self, Issued, SpareKeys};
use crate::session::Session;
use crate::time::{Spoken, UnixTime};

/// How many machines anything is held of for one account: relay credentials, addresses.
pub(super) const MAX_MACHINES: usize = 10_000;
/// How many certificates that a new one has replaced are held for one account.
const MAX_REPLACED: usize = 16;
/// How often a certificate is asked for while somebody waits for it who has none.
const MAX_TRIES: u32 = 3;
/// How long the next of these tries is waited for.
const RETRY_PAUSE: Duration = Duration::from_millis(300);
/// How much of the reason of a failed renewal `ssh-add -l` shows, in characters.
const MAX_REASON_CHARS: usize = 100;
/// How long a machine that was set up may take until it listens.
const SET_UP_TIME: Duration = Duration::from_secs(90);

/// One account in one tenant, as one caller reaches it.
#[derive(Clone, Debug)]
pub(super) struct Account {
    sign_in: Session,
    held: Arc<Held>,
    shared: Shared,
}

/// State of one account in one tenant, shared by all callers.
#[derive(Debug)]
struct Held {
    /// The newest certificate first. Those that it has replaced still sign: a login under way has been offered one of them.
    issued: StdMutex<Vec<Issued>>,
    /// Whose turn it is to renew.
    turn: Mutex<()>,
    renewal: StdMutex<Renewal>,
    /// Whether somebody has asked since the newest certificate was issued: what nobody uses is not renewed.
    is_used: AtomicBool,
    /// Whether somebody has had it forgotten: then ssh does not see it until one of our own programs asks for it.
    is_withdrawn: AtomicBool,
    addresses: AddressBook,
    relays: Mutex<Bounded<ResourceId, Arc<Mutex<Relay>>>>,
}

/// What all accounts have together.
#[derive(Clone, Debug, Default)]
pub(super) struct Shared {
    /// Key pairs that are made ahead.
    pub(super) keys: SpareKeys,
    /// Rung when an account has got a new certificate.
    pub(super) changed: Arc<Notify>,
}

#[derive(Debug, Default)]
struct Relay {
    credentials: Option<RelayCredentials>,
    set_up: Option<Instant>,
}

impl Account {
    pub(super) fn new(sign_in: Session, shared: Shared) -> Self {
        Self {
            sign_in,
            held: Arc::new(Held {
                issued: StdMutex::default(),
                turn: Mutex::default(),
                renewal: StdMutex::default(),
                is_used: AtomicBool::new(false),
                is_withdrawn: AtomicBool::new(false),
                addresses: AddressBook::default(),
                relays: Mutex::new(Bounded::new(MAX_MACHINES)),
            }),
            shared,
        }
    }

    /// Returns the account as this caller reaches it. Where that is another way than the last caller's, what failed before may
    /// work.
    pub(super) async fn come_from(&self, host: &Host) -> Result<Self, Failure> {
        let sign_in = self.sign_in.for_caller(host).await?;
        if sign_in.link_number() != self.sign_in.link_number() {
            self.wake();
        }
        Ok(Self {
            sign_in,
            ..self.clone()
        })
    }

    /// Tells whether this is the same account, as another caller reaches it.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.held, &other.held)
    }

    pub(super) fn addresses(&self) -> &AddressBook {
        &self.held.addresses
    }

    /// Returns a certificate that can be used.
    ///
    /// One that is due is renewed in the background while it is served; only if it is about to end, or there is none, is
    /// the renewal waited for. Of any number of askers one renews.
    pub(super) async fn certificate(self: &Arc<Self>) -> Result<Issued, Failure> {
        self.held.is_used.store(true, Ordering::Relaxed);
        let held = self.certificate_at_hand().await;
        let now = self.sign_in.clock.now();
        match held {
            Some(held) if !held.is_due(now) => Ok(held),
            Some(held) if !held.is_urgent(now) => {
                self.renew_in_background();
                Ok(held)
            }
            held => match (self.renew().await, held) {
                (Err(_), Some(held)) if held.is_live(self.sign_in.clock.now()) => Ok(held),
                (outcome, _) => outcome,
            },
        }
    }

    /// Returns a certificate that `is_good`, or else a new one, and whether it is new. What another asker got, or failed to
    /// get, while this one waited is as good.
    pub(super) async fn certificate_that(
        &self,
        is_good: impl Fn(&Issued) -> bool,
    ) -> Result<(Issued, bool), Failure> {
        self.held.is_used.store(true, Ordering::Relaxed);
        let settings = self.sign_in.link_number();
        let seen = lock(&self.held.renewal).tries();
        let _turn = self.held.turn.lock().await;
        let held = self.certificate_at_hand().await;
        {
            let renewal = lock(&self.held.renewal);
            match (held, renewal.failure_with(settings)) {
                (_, Some(failure)) if renewal.tries() != seen => return Err(failure.clone()),
                (Some(held), _) if renewal.tries() != seen && renewal.failure().is_none() => {
                    return Ok((held, true));
                }
                (Some(held), _) if is_good(&held) => return Ok((held, false)),
                _ => renewal.check_allowed(Instant::now())?,
            }
        }
        let issued = self.issue(MAX_TRIES, is_good).await?;
        Ok((issued, true))
    }

    /// Renews what is due and in use; returns how long until it is worth another look.
    pub(super) fn tend(self: &Arc<Self>) -> Duration {
        if !self.sign_in.unsaved_warnings().is_empty() {
            let sign_in = self.sign_in.clone();
            tokio::spawn(async move { sign_in.retry_unsaved().await });
        }
        let Some(held) = self.newest() else {
            return LOOK_INTERVAL;
        };
        self.shared
            .keys
            .make_ahead(self.sign_in.profile.keys.kind());
        let (now, end) = (self.sign_in.clock.now(), held.certificate.validity().1);
        let is_wanted = self.held.is_used.load(Ordering::Relaxed) && !self.is_withdrawn();
        if !is_wanted || !held.is_live(now) {
            return LOOK_INTERVAL;
        }
        // Those who were issued theirs in the same second renew in different ones.
        let last_byte = held.certificate.blob().last().copied().unwrap_or_default();
        let margin = jittered(held.renewal_margin(), last_byte) * 4 / 5;
        let early = end.since(now).saturating_sub(margin);
        if !early.is_zero() {
            return early;
        }
        let rest = lock(&self.held.renewal).rest(Instant::now());
        if !rest.is_zero() {
            return rest;
        }
        self.renew_in_background();
        LOOK_INTERVAL
    }

    /// Has a failed renewal tried again at once.
    pub(super) fn wake(&self) {
        lock(&self.held.renewal).wake();
    }

    fn renew_in_background(self: &Arc<Self>) {
        let account = Arc::clone(self);
        tokio::spawn(async move {
            // It is tried again later; whoever needs it then is told why it fails.
            let _renewed = account.renew().await;
            account.shared.changed.notify_one();
        });
    }

    async fn renew(&self) -> Result<Issued, Failure> {
        let settings = self.sign_in.link_number();
        let seen = lock(&self.held.renewal).tries();
        let _turn = self.held.turn.lock().await;
        let now = self.sign_in.clock.now();
        let newest = self.newest().filter(|held| held.is_live(now));
        {
            let renewal = lock(&self.held.renewal);
            // Another asker may have renewed, or failed to, while this one waited.
            match (&newest, renewal.failure_with(settings)) {
                (Some(held), _) if !held.is_due(now) => return Ok(held.clone()),
                (Some(held), _) if !renewal.rest(Instant::now()).is_zero() => {
                    return Ok(held.clone());
                }
                (_, Some(failure)) if renewal.tries() != seen => return Err(failure.clone()),
                _ => renewal.check_allowed(Instant::now())?,
            }
        }
        let tries = if newest.is_some() { 1 } else { MAX_TRIES };
        let is_held = |stored: &Issued| {
            newest
                .as_ref()
                .is_some_and(|held| held.certificate.blob() == stored.certificate.blob())
        };
        self.issue(tries, |stored| !stored.is_due(now) && !is_held(stored))
            .await
    }

    /// Issues, unless what is stored `is_good`. A failure that may pass is met by another try, if there are any.
    async fn issue(
        &self,
        tries: u32,
        is_good: impl Fn(&Issued) -> bool,
    ) -> Result<Issued, Failure> {
        let mut left = tries;
        loop {
            left = left.saturating_sub(1);
            let settings = self.sign_in.link_number();
            let outcome = issue::fresh(&self.sign_in, &self.shared.keys, &is_good).await;
            let failure = match outcome {
                Ok(issued) => {
                    lock(&self.held.renewal).succeeded();
                    self.hold(issued.clone());
                    return Ok(issued);
                }
                Err(failure) => failure,
            };
            if left > 0 && is_passing(&failure) {
                sleep(jittered(RETRY_PAUSE, random_byte())).await;
                continue;
            }
            let now = self.sign_in.clock.now();
            let end = self.newest().map(|held| held.certificate.validity().1);
            let time_left = end.map_or(Duration::ZERO, |end| end.since(now));
            let mut renewal = lock(&self.held.renewal);
            renewal.failed(failure.clone(), Instant::now(), time_left, random_byte());
            renewal.failed_with(settings);
            drop(renewal);
            return Err(failure);
        }
    }

    /// Forgets key and certificate, and serves none until one of our own programs asks.
    pub(super) fn withdraw(&self) {
        self.held.is_withdrawn.store(true, Ordering::Relaxed);
        lock(&self.held.issued).clear();
    }

    /// Serves again: one of our own programs asks.
    pub(super) fn readmit(&self) {
        self.held.is_withdrawn.store(false, Ordering::Relaxed);
    }

    pub(super) fn is_withdrawn(&self) -> bool {
        self.held.is_withdrawn.load(Ordering::Relaxed)
    }

    /// Tells whether the key may be used from the machines that the agent is forwarded to.
    pub(super) const fn may_be_forwarded(&self) -> bool {
        self.sign_in.profile.keys.may_be_forwarded
    }

    /// Says what `ssh-add -l` shows: whose it is, how long it lasts, and why it could not be renewed.
    pub(super) fn comment(&self, issued: &Issued, now: UnixTime) -> String {
        let Session {
            profile, tenant, ..
        } = &self.sign_in;
        let left = issued.certificate.validity().1.since(now);
        let comment = format!("{} {} {} left", profile.account, tenant, Spoken(left));
        match lock(&self.held.renewal).failure() {
            Some(failure) => format!(
                "{comment}, not renewed: {}",
                failure.error.shortened(MAX_REASON_CHARS)
            ),
            None => comment,
        }
    }

    fn newest(&self) -> Option<Issued> {
        lock(&self.held.issued).first().cloned()
    }

    fn hold(&self, issued: Issued) {
        let now = self.sign_in.clock.now();
        let mut held = lock(&self.held.issued);
        held.retain(|held| {
            held.is_live(now) && held.certificate.blob() != issued.certificate.blob()
        });
        if !held.is_empty() {
            // What is asked from now on is a reason for the next one.
            self.held.is_used.store(false, Ordering::Relaxed);
        }
        held.insert(0, issued);
        held.truncate(1 + MAX_REPLACED);
        drop(held);
        self.shared.changed.notify_one();
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
        self.held.is_used.store(true, Ordering::Relaxed);
        let find = || {
            lock(&self.held.issued)
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

    pub(super) const fn sign_in(&self) -> &Session {
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
            let mut relays = self.held.relays.lock().await;
            Arc::clone(relays.get_or_default(machine.clone()))
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
            .ask_azure(|manager| async move { manager.relay_credentials(machine, port).await })
            .await?;
        relay.credentials = Some(credentials.clone());
        if is_new {
            relay.set_up = Some(Instant::now());
        }
        Ok((credentials, is_new))
    }

    /// Asks Azure Resource Manager. A failure that may pass is met by another try, a few times.
    pub(super) async fn ask_azure<T, F>(
        &self,
        question: impl Fn(Arc<ResourceManager>) -> F,
    ) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, AzureError>>,
    {
        let mut left = MAX_TRIES;
        loop {
            left = left.saturating_sub(1);
            match self.sign_in.ask_azure(&question).await {
                Err(failure) if left > 0 && is_passing(&failure) => {
                    sleep(jittered(RETRY_PAUSE, random_byte())).await;
                }
                outcome => return outcome,
            }
        }
    }
}

/// Spreads tries. Without random numbers they are made at once, which does no harm on one machine.
fn random_byte() -> u8 {
    rand::generate(&SystemRandom::new()).map_or(0, |random: rand::Random<[u8; 1]>| {
        let [byte] = random.expose();
        byte
    })
}

fn lock<T>(mutex: &StdMutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
