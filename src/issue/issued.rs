use std::sync::Arc;
use std::time::Duration;

use crate::certificate::{Certificate, KeyPair};
use crate::time::UnixTime;

/// A certificate is renewed when less than this is left of it, or less than a third of its life if that is shorter.
const RENEWAL_MARGIN: Duration = Duration::from_secs(600);
/// A certificate with less than this left, or less than a sixth of its life if that is shorter, is not counted on.
const URGENT_MARGIN: Duration = Duration::from_secs(60);
/// How far before its issue Entra lets a certificate become valid, for clocks that are behind.
const BACKDATED: Duration = Duration::from_secs(300);

/// A key pair and its certificate.
#[derive(Clone, Debug)]
pub(crate) struct Issued {
    /// The key pair.
    pub key_pair: Arc<KeyPair>,
    /// Its certificate.
    pub certificate: Certificate,
    /// When this process got hold of it.
    pub obtained: UnixTime,
}

impl Issued {
    /// Tells whether it is time for the next one.
    #[must_use]
    pub(crate) fn is_due(&self, now: UnixTime) -> bool {
        now.after(self.renewal_margin()) >= self.certificate.validity().1
    }

    /// Returns how long before its end it is time for the next one.
    #[must_use]
    pub(crate) fn renewal_margin(&self) -> Duration {
        renewal_margin(&self.certificate, self.obtained)
    }

    /// Tells whether it ends so soon that a login could fail with it: the next one is to be waited for.
    #[must_use]
    pub(crate) fn is_urgent(&self, now: UnixTime) -> bool {
        let (from, to) = self.certificate.validity();
        now.after(URGENT_MARGIN.min(life((from, to), self.obtained) / 6)) >= to
    }

    /// Tells whether it can still be used.
    #[must_use]
    pub(crate) fn is_live(&self, now: UnixTime) -> bool {
        now < self.certificate.validity().1
    }
}

/// Returns how long before its end it is time for the next certificate, given when we obtained this one.
#[must_use]
pub(crate) fn renewal_margin(certificate: &Certificate, obtained: UnixTime) -> Duration {
    RENEWAL_MARGIN.min(life(certificate.validity(), obtained) / 3)
}

/// Returns how long a certificate lasts from its issue on, given when we obtained it. Its first five minutes lie before its
/// issue ([`BACKDATED`]): of one that lasts a minute they would be most of its life. One that was read from the keyring was
/// issued long before we obtained it.
fn life((from, to): (UnixTime, UnixTime), obtained: UnixTime) -> Duration {
    to.since(obtained.clamp(from, from.after(BACKDATED)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn life_of(before: u64, lasts: u64, obtained: u64) -> u64 {
        let validity = (
            UnixTime::from_seconds(NOW - before),
            UnixTime::from_seconds(NOW + lasts),
        );
        life(validity, UnixTime::from_seconds(obtained)).as_secs()
    }

    #[test]
    fn the_five_minutes_before_its_issue_are_no_part_of_a_certificates_life() {
        for lasts in [10, 60, 300, 3_600] {
            assert_eq!(life_of(300, lasts, NOW), lasts);
            // Read from the keyring later on.
            assert_eq!(life_of(300, lasts, NOW + lasts - 1), lasts);
        }
    }

    #[test]
    fn a_certificate_that_is_not_backdated_lives_as_long_as_it_says() {
        assert_eq!(life_of(0, 3_600, NOW), 3_600);
        assert_eq!(life_of(60, 3_600, NOW), 3_600);
    }

    #[test]
    fn a_clock_that_is_off_changes_the_life_by_no_more_than_the_backdating() {
        assert_eq!(life_of(300, 3_600, NOW - 86_400), 3_900);
        assert_eq!(life_of(300, 3_600, NOW + 86_400), 3_600);
    }
}
