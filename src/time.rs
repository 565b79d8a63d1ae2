//! Points in time, as certificates and tokens give them.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::{Rfc2822, Rfc3339};

/// A point in time: seconds since the Unix epoch, as in the validity fields of PROTOCOL.certkeys.
///
/// Prints as RFC 3339 in UTC; `u64::MAX`, which PROTOCOL.certkeys uses for "no end", prints as `forever`.
///
/// ```
/// # use entra_ssh::internal::time::UnixTime;
/// assert_eq!(UnixTime::from_seconds(1_700_000_000).to_string(), "2023-11-14T22:13:20Z");
/// ```
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct UnixTime(u64);

impl UnixTime {
    /// The end of time in PROTOCOL.certkeys: a certificate that never expires.
    pub const FOREVER: Self = Self(u64::MAX);

    /// Returns the point that lies this many seconds after the Unix epoch.
    #[must_use]
    pub const fn from_seconds(seconds: u64) -> Self {
        Self(seconds)
    }

    /// Parses RFC 3339, with any offset and with or without a fraction of a second.
    #[must_use]
    pub fn from_rfc3339(text: &str) -> Option<Self> {
        let parsed = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        u64::try_from(parsed.unix_timestamp()).ok().map(Self)
    }

    /// Parses the form that HTTP headers have (RFC 9110, section 5.6.7): `Sun, 06 Nov 1994 08:49:37 GMT`.
    #[must_use]
    pub fn from_http_date(text: &str) -> Option<Self> {
        let parsed = OffsetDateTime::parse(text, &Rfc2822).ok()?;
        u64::try_from(parsed.unix_timestamp()).ok().map(Self)
    }

    /// Returns the seconds since the Unix epoch.
    #[must_use]
    pub const fn as_seconds(self) -> u64 {
        self.0
    }

    /// Returns the point this long after this one; stops at the end of time.
    #[must_use]
    pub const fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration.as_secs()))
    }

    /// Returns how long it is from `earlier` to this point; zero if this point is not later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_secs(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for UnixTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::FOREVER {
            return f.write_str("forever");
        }
        let text = i64::try_from(self.0)
            .ok()
            .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
            .and_then(|time| time.format(&Rfc3339).ok());
        match text {
            Some(text) => f.write_str(&text),
            None => write!(f, "@{}", self.0),
        }
    }
}

/// Prints a length of time in words: `58 min`, `1 h 5 min`, `40 s`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spoken(pub Duration);

impl fmt::Display for Spoken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
        match (days, hours, minutes) {
            (0, 0, 0) => write!(f, "{seconds} s"),
            (0, 0, _) => write!(f, "{minutes} min"),
            (0, _, 0) => write!(f, "{hours} h"),
            (0, _, _) => write!(f, "{hours} h {minutes} min"),
            (_, 0, _) => write!(f, "{days} d"),
            _ => write!(f, "{days} d {hours} h"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc3339_survives_a_round_trip_and_offsets_are_taken_to_utc() {
        let time = UnixTime::from_seconds(1_700_000_000);
        assert_eq!(UnixTime::from_rfc3339(&time.to_string()), Some(time));
        assert_eq!(
            UnixTime::from_rfc3339("2023-11-14T23:13:20.25+01:00"),
            Some(time)
        );
        assert_eq!(UnixTime::from_rfc3339("yesterday"), None);
    }

    #[test]
    fn times_that_no_calendar_holds_still_print() {
        assert_eq!(UnixTime::FOREVER.to_string(), "forever");
        assert_eq!(
            UnixTime::from_seconds(u64::MAX - 1).to_string(),
            "@18446744073709551614"
        );
    }

    #[test]
    fn spoken_lengths_read_well() {
        for (seconds, text) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (3_600, "1 h"),
            (3_900, "1 h 5 min"),
            (90_000, "1 d 1 h"),
        ] {
            assert_eq!(Spoken(Duration::from_secs(seconds)).to_string(), text);
        }
    }
}
