//! The certificate of an account: served while it lasts, renewed before it expires, and issued by Entra.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::account::{Account, MAX_TRIES, RETRY_PAUSE};
use super::renewal::jittered;
use crate::certificate::KeyPair;
use crate::failure::Failure;
use crate::host::random;
use crate::issue::{self, Issued};
use crate::session::Retry;

/// The longest pause between two checks of an account, so that the agent notices within it that the machine has slept.
pub(super) const LOOK_INTERVAL: Duration = Duration::from_secs(15);

impl Account {
    /// Returns a certificate that can be used.
    ///
    /// One that is due is renewed in the background while it is served; only if it is about to end, or there is none, is
    /// the renewal waited for. Of any number of askers one renews.
    pub(super) async fn certificate(self: &Arc<Self>) -> Result<Issued, Failure> {
        self.held.issued.record_use();
        let held = self.current_certificate().await;
        let now = self.session.clock.now();
        match held {
            Some(held) if !held.is_due(now) => Ok(held),
            Some(held) if !held.lifetime().is_urgent(now) => {
                self.renew_in_background();
                Ok(held)
            }
            held => match (self.renew().await, held) {
                (Err(_), Some(held)) if held.is_live(self.session.clock.now()) => Ok(held),
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
        self.held.issued.record_use();
        let settings = self.session.link_number();
        let seen = self.held.renewal().tries();
        let _turn = self.held.turn.lock().await;
        let held = self.current_certificate().await;
        {
            let renewal = self.held.renewal();
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
    pub(super) fn renew_if_due(self: &Arc<Self>) -> Duration {
        if !self.session.unsaved_warnings().is_empty() {
            let session = self.session.clone();
            tokio::spawn(async move { session.retry_unsaved().await });
        }
        let Some(held) = self.held.issued.newest() else {
            return LOOK_INTERVAL;
        };
        self.shared
            .keys
            .make_ahead(self.session.profile.keys.kind());
        let (now, end) = (self.session.clock.now(), held.certificate.validity().1);
        let issued = &self.held.issued;
        let is_wanted = issued.is_used() && !issued.is_withdrawn();
        if !is_wanted || !held.is_live(now) {
            return LOOK_INTERVAL;
        }
        // Those who were issued theirs in the same second renew in different ones.
        let last_byte = held.certificate.blob().last().copied().unwrap_or_default();
        let margin = jittered(held.lifetime().renewal_margin(), last_byte) * 4 / 5;
        let early = end.since(now).saturating_sub(margin);
        if !early.is_zero() {
            return early;
        }
        let rest = self.held.renewal().rest(Instant::now());
        if !rest.is_zero() {
            return rest;
        }
        self.renew_in_background();
        LOOK_INTERVAL
    }

    fn renew_in_background(self: &Arc<Self>) {
        let account = Arc::clone(self);
        tokio::spawn(async move {
            // The background tries again later; a caller that needs it gets the error.
            let _renewed = account.renew().await;
            account.shared.changed.notify_one();
        });
    }

    async fn renew(&self) -> Result<Issued, Failure> {
        let settings = self.session.link_number();
        let seen = self.held.renewal().tries();
        let _turn = self.held.turn.lock().await;
        let now = self.session.clock.now();
        let newest = self.held.issued.newest().filter(|held| held.is_live(now));
        {
            let renewal = self.held.renewal();
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

    /// Acquires a certificate unless the stored one `is_good`. Retries failures that may pass, within the given number of tries.
    async fn issue(
        &self,
        tries: u32,
        is_good: impl Fn(&Issued) -> bool,
    ) -> Result<Issued, Failure> {
        let mut left = tries;
        loop {
            left = left.saturating_sub(1);
            let settings = self.session.link_number();
            let outcome = issue::fresh(&self.session, &self.shared.keys, &is_good).await;
            let error = match outcome {
                Ok(issued) => {
                    self.held.renewal().succeeded();
                    self.hold(issued.clone());
                    return Ok(issued);
                }
                Err(error) => error,
            };
            if left > 0 && error.retry() == Retry::Now {
                sleep(jittered(RETRY_PAUSE, random::spread())).await;
                continue;
            }
            let now = self.session.clock.now();
            let end = self
                .held
                .issued
                .newest()
                .map(|held| held.certificate.validity().1);
            let time_left = end.map_or(Duration::ZERO, |end| end.since(now));
            let mut renewal = self.held.renewal();
            let (retry, failure) = (error.retry(), Failure::from(error));
            renewal.failed(
                failure.clone(),
                retry,
                Instant::now(),
                time_left,
                random::spread(),
            );
            renewal.failed_with(settings);
            drop(renewal);
            return Err(failure);
        }
    }

    /// Returns the newest certificate that is held or stored and still lives, without asking Entra for one.
    pub(super) async fn current_certificate(&self) -> Option<Issued> {
        if self.held.issued.newest().is_none()
            && let Ok(Some(stored)) = issue::stored(&self.session).await
        {
            self.hold(stored);
        }
        let now = self.session.clock.now();
        self.held.issued.newest().filter(|held| held.is_live(now))
    }

    /// Returns the key pair of a key blob or certificate blob: of those that are held, or else of the one that is stored,
    /// which another process may have issued since.
    pub(super) async fn key_pair(&self, blob: &[u8]) -> Option<Arc<KeyPair>> {
        self.held.issued.record_use();
        if let Some(found) = self.held.issued.key_pair(blob) {
            return Some(found);
        }
        self.hold(issue::stored(&self.session).await.ok()??);
        self.held.issued.key_pair(blob)
    }

    fn hold(&self, issued: Issued) {
        self.held.issued.hold(issued, self.session.clock.now());
        self.shared.changed.notify_one();
    }
}
