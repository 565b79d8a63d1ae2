use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Certificate;
use crate::time::UnixTime;

/// A certificate is renewed when less than this is left of it, or less than a third of its life if that is shorter.
const RENEWAL_MARGIN: Duration = Duration::from_secs(600);
/// No login relies on a certificate with less than this left, or less than a sixth of its life if that is shorter.
const URGENT_MARGIN: Duration = Duration::from_secs(60);
/// How far before its issue Entra lets a certificate become valid, for clocks that are behind.
const BACKDATED: Duration = Duration::from_secs(300);

/// When to renew a certificate.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RenewWhen {
    /// If the agent would renew it by itself.
    Due,
    /// However long it is still valid.
    Now,
    /// If it expires in less than this many seconds.
    WithinSeconds(u64),
}

/// The life of a certificate, from its issue to its expiry, and the one rule for its renewal, wherever it is kept.
///
/// A certificate does not say when it was issued. Entra lets it become valid five minutes earlier, which would be most of the life
/// of one that lasts a minute: such a certificate would be due from the first second. So its life begins when this computer got it,
/// but no later than five minutes after its first valid second.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Lifetime {
    issued: UnixTime,
    expires: UnixTime,
}

impl Lifetime {
    /// Returns the life of a certificate that this computer got at a time: when it was issued, written to its file, or, if
    /// nothing recorded that, read.
    #[must_use]
    pub(crate) fn of(certificate: &Certificate, obtained: UnixTime) -> Self {
        Self::within(certificate.validity(), obtained)
    }

    fn within((from, to): (UnixTime, UnixTime), obtained: UnixTime) -> Self {
        Self {
            issued: obtained.clamp(from, from.after(BACKDATED)),
            expires: to,
        }
    }

    /// Returns how long before its expiry the certificate is due for renewal.
    #[must_use]
    pub(crate) fn renewal_margin(self) -> Duration {
        RENEWAL_MARGIN.min(self.length() / 3)
    }

    /// Returns whether the certificate has to be renewed.
    #[must_use]
    pub(crate) fn needs_renewal(self, when: RenewWhen, now: UnixTime) -> bool {
        match when {
            RenewWhen::Due => self.left(now) <= self.renewal_margin(),
            RenewWhen::Now => true,
            RenewWhen::WithinSeconds(seconds) => self.left(now).as_secs() < seconds,
        }
    }

    /// Returns whether the certificate expires so soon that a login could fail with it, and has to wait for the next one.
    #[must_use]
    pub(crate) fn is_urgent(self, now: UnixTime) -> bool {
        self.left(now) <= URGENT_MARGIN.min(self.length() / 6)
    }

    #[must_use]
    pub(crate) fn is_live(self, now: UnixTime) -> bool {
        now < self.expires
    }

    fn left(self, now: UnixTime) -> Duration {
        self.expires.since(now)
    }

    fn length(self) -> Duration {
        self.expires.since(self.issued)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When the certificates of these tests are issued.
    const ISSUED: u64 = 1_800_000_000;

    fn at(seconds: u64) -> UnixTime {
        UnixTime::from_seconds(seconds)
    }

    /// Returns the life of a certificate that became valid so many seconds `before` its issue, `lasts` for so many from then on,
    /// and came here so many seconds `later`.
    fn life(before: u64, lasts: u64, later: u64) -> Lifetime {
        let validity = (at(ISSUED - before), at(ISSUED + lasts));
        Lifetime::within(validity, at(ISSUED + later))
    }

    /// Returns how many seconds after the issue the certificate is due.
    fn due(life: Lifetime) -> u64 {
        let is_due = |seconds: &u64| life.needs_renewal(RenewWhen::Due, at(ISSUED + seconds));
        (0..100_000).find(is_due).unwrap()
    }

    #[test]
    fn a_short_certificate_is_due_in_the_last_third_of_its_life_backdated_or_not() {
        for before in [0, 60, 299, 300] {
            for lasts in [3, 30, 60, 300, 1_800] {
                assert_eq!(
                    due(life(before, lasts, 0)),
                    lasts - lasts / 3,
                    "{before} {lasts}"
                );
            }
        }
    }

    #[test]
    fn a_long_certificate_is_due_ten_minutes_before_it_expires() {
        for before in [0, 300] {
            for lasts in [1_801, 3_600, 86_400] {
                assert_eq!(due(life(before, lasts, 0)), lasts - 600);
            }
        }
    }

    #[test]
    fn a_backdated_certificate_lives_as_long_whenever_it_was_read() {
        for lasts in [10, 60, 300, 3_600] {
            for later in [0, 1, lasts - 1, lasts] {
                assert_eq!(life(300, lasts, later), life(300, lasts, 0));
            }
        }
    }

    #[test]
    fn a_clock_that_is_off_changes_the_life_by_no_more_than_the_backdating() {
        let early = Lifetime::within((at(ISSUED - 300), at(ISSUED + 3_600)), at(ISSUED - 86_400));
        assert_eq!(early.length().as_secs(), 3_900);
        let late = life(300, 3_600, 86_400);
        assert_eq!(late.length().as_secs(), 3_600);
    }

    #[test]
    fn a_certificate_that_never_expires_is_never_due() {
        let life = Lifetime::within((at(0), UnixTime::FOREVER), at(ISSUED));
        assert!(!life.needs_renewal(RenewWhen::Due, at(ISSUED)));
        assert!(life.is_live(at(u64::MAX - 1)));
    }

    #[test]
    fn the_caller_may_ask_for_more_time_or_for_a_new_one() {
        let life = life(300, 60, 0);
        let needs = |when| life.needs_renewal(when, at(ISSUED));
        assert!(!needs(RenewWhen::Due));
        assert!(needs(RenewWhen::Now));
        assert!(!needs(RenewWhen::WithinSeconds(60)));
        assert!(needs(RenewWhen::WithinSeconds(61)));
    }

    #[test]
    fn a_certificate_is_urgent_later_than_it_is_due_and_expires_after_that() {
        for (lasts, urgent) in [(60, 50), (3_600, 3_540)] {
            let life = life(300, lasts, 0);
            let is_urgent = |seconds: &u64| life.is_urgent(at(ISSUED + seconds));
            assert_eq!((0..lasts).find(is_urgent), Some(urgent));
            assert!(life.is_live(at(ISSUED + lasts - 1)));
            assert!(!life.is_live(at(ISSUED + lasts)));
        }
    }
}
