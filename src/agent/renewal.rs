use std::time::Duration;

use tokio::time::Instant;

use crate::failure::Failure;
use crate::session::Retry;

/// How long after a first failed try the next one is made; after each further one twice as long.
const FIRST_REST: Duration = Duration::from_secs(2);
/// How long a rest is at most.
const LONGEST_REST: Duration = Duration::from_secs(60);
/// How long to pause after a failure that only the user can fix.
const REST_FOR_A_PERSON: Duration = Duration::from_secs(600);

/// How long to send no request after Entra refused a request loop, for any caller: each further request prolongs the refusal.
const REST_AFTER_A_LOOP: Duration = Duration::from_secs(300);

/// How the renewals of one account have gone. It holds no certificate and does no renewing.
#[derive(Debug, Default)]
pub(super) struct Renewal {
    /// How many tries have ended, well or not: a caller that waited for a failed one need not try again.
    tries: u64,
    /// How many have failed since one went well.
    failures: u32,
    /// Why the last one failed, if it did.
    failure: Option<Failure>,
    /// Whether no caller may cause a request while this rests.
    is_loop: bool,
    /// The settings that it failed with ([`crate::session::Session::link_number`]).
    settings: u64,
    rest_until: Option<Instant>,
}

impl Renewal {
    pub(super) const fn tries(&self) -> u64 {
        self.tries
    }

    pub(super) const fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref()
    }

    /// Returns why the last one failed, if it did with these settings: another caller's proxy may lead somewhere.
    pub(super) fn failure_with(&self, settings: u64) -> Option<&Failure> {
        self.failure.as_ref().filter(|_| self.settings == settings)
    }

    pub(super) fn succeeded(&mut self) {
        *self = Self {
            tries: self.tries + 1,
            ..Self::default()
        };
    }

    /// Takes note of a failure. The rest after it takes no more than a quarter of the time that is `left` of the certificate,
    /// so that a short-lived one is tried often enough, too. `random` spreads those who fail at once.
    pub(super) fn failed(
        &mut self,
        failure: Failure,
        retry: Retry,
        now: Instant,
        left: Duration,
        random: u8,
    ) {
        self.tries += 1;
        self.failures = self.failures.saturating_add(1);
        let rest = match retry {
            Retry::AfterLoop => REST_AFTER_A_LOOP,
            Retry::AfterUser => REST_FOR_A_PERSON,
            Retry::Later | Retry::Now => {
                let doublings = 2_u32.saturating_pow(self.failures - 1);
                let short_enough = (left / 4).max(FIRST_REST / 2);
                FIRST_REST
                    .saturating_mul(doublings)
                    .min(LONGEST_REST)
                    .min(short_enough)
            }
        };
        self.is_loop = retry == Retry::AfterLoop;
        self.failure = Some(failure);
        self.rest_until = Some(now + jittered(rest, random));
    }

    /// Takes note of what the last failed try was made with.
    pub(super) const fn failed_with(&mut self, settings: u64) {
        self.settings = settings;
    }

    /// Returns how long it still rests.
    pub(super) fn rest(&self, now: Instant) -> Duration {
        self.rest_until
            .map_or(Duration::ZERO, |until| until.saturating_duration_since(now))
    }

    /// Checks that a try may be made for a caller who waits.
    ///
    /// # Errors
    /// The last failure, while no caller may cause a request.
    pub(super) fn check_allowed(&self, now: Instant) -> Result<(), Failure> {
        match &self.failure {
            Some(failure) if self.is_loop && !self.rest(now).is_zero() => Err(failure.clone()),
            _ => Ok(()),
        }
    }

    /// Ends the rest: the machine has slept or the caller is another, and with it the network. Entra counts on, though.
    pub(super) fn wake(&mut self) {
        if !self.is_loop {
            self.rest_until = None;
        }
    }
}

/// Lengthens or shortens a time by up to a quarter.
pub(super) fn jittered(time: Duration, random: u8) -> Duration {
    time * 3 / 4 + time * u32::from(random) / 510
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);
    /// The random byte that changes a time the least.
    const MIDDLE: u8 = 128;

    fn rests(left: Duration, retry: Retry) -> Vec<u64> {
        let now = Instant::now();
        let mut renewal = Renewal::default();
        (0..8)
            .map(|_| {
                renewal.failed(Failure::new("x"), retry, now, left, MIDDLE);
                renewal.rest(now).as_secs()
            })
            .collect()
    }

    #[test]
    fn rests_grow_and_end() {
        assert_eq!(rests(HOUR, Retry::Later), [2, 4, 8, 16, 32, 60, 60, 60]);
        let left = Duration::from_secs(20);
        assert_eq!(rests(left, Retry::Later), [2, 4, 5, 5, 5, 5, 5, 5]);
        assert_eq!(rests(Duration::ZERO, Retry::Now), [1; 8]);
        assert_eq!(rests(left, Retry::AfterUser), [600; 8]);
    }

    #[test]
    fn what_went_well_or_woke_up_does_not_rest() {
        let now = Instant::now();
        let mut renewal = Renewal::default();
        renewal.failed(Failure::new("x"), Retry::Later, now, HOUR, 0);
        assert!(renewal.rest(now) > Duration::ZERO);
        renewal.wake();
        assert_eq!(renewal.rest(now), Duration::ZERO);
        assert!(renewal.failure().is_some());
        renewal.failed(Failure::new("x"), Retry::Later, now, HOUR, 0);
        renewal.succeeded();
        assert_eq!(renewal.rest(now), Duration::ZERO);
        assert_eq!((renewal.failure(), renewal.tries()), (None, 3));
    }

    #[test]
    fn after_a_request_loop_nothing_is_tried_for_minutes_whoever_asks() {
        let now = Instant::now();
        let mut renewal = Renewal::default();
        let refused = Failure::new("refused");
        renewal.failed(refused.clone(), Retry::Now, now, Duration::ZERO, MIDDLE);
        assert_eq!(renewal.check_allowed(now), Ok(()), "it is of another kind");
        renewal.failed(
            refused.clone(),
            Retry::AfterLoop,
            now,
            Duration::ZERO,
            MIDDLE,
        );
        let rest = renewal.rest(now).as_secs();
        assert!((299..=301).contains(&rest), "{rest}");
        assert_eq!(renewal.check_allowed(now), Err(refused));
        let later = now + Duration::from_secs(302);
        assert_eq!(renewal.check_allowed(later), Ok(()));
        renewal.succeeded();
        assert_eq!(renewal.check_allowed(now), Ok(()));
    }

    #[test]
    fn jitter_is_a_quarter_at_most() {
        let time = Duration::from_secs(100);
        assert_eq!(jittered(time, 0), Duration::from_secs(75));
        assert_eq!(jittered(time, 255), Duration::from_secs(125));
    }
}
