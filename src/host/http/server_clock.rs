use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::time::UnixTime;

/// The clock of the server, by its last `Date` header (RFC 9110, section 6.6.1).
#[derive(Debug, Default)]
pub(super) struct ServerClock(Mutex<Option<(UnixTime, Instant)>>);

impl ServerClock {
    /// Sets it by a `Date` header; an invalid date changes nothing.
    pub(super) fn note(&self, date: &str) {
        if let Some(time) = UnixTime::from_http_date(date) {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((time, Instant::now()));
        }
    }

    /// Returns the server's time now.
    pub(super) fn now(&self) -> Option<UnixTime> {
        let noted = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        noted.map(|(time, at)| time.after(at.elapsed()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_date_counts_and_nonsense_does_not() {
        let clock = ServerClock::default();
        assert_eq!(clock.now(), None);
        clock.note("Sun, 06 Nov 1994 08:49:37 GMT");
        clock.note("yesterday");
        let shown = clock.now().unwrap().as_seconds();
        assert!((784_111_777..784_111_780).contains(&shown), "{shown}");
    }
}
