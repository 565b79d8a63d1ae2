//! Decides which requests are retried, when, and for how long. Nothing else retries HTTP.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

use super::HttpError;
use crate::host::clock::{Clock as _, SystemClock};
use crate::time::{Spoken, UnixTime};

/// How long one request may take in all, with its tries, the waits between them, and a reply that trickles in. A caller waits
/// for the agent longer than this.
pub(super) const BUDGET: Duration = Duration::from_secs(45);
/// How often a request is sent.
pub(super) const MAX_TRIES: u32 = 4;
/// The pause before the second try if the server names none; each further pause is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// Shorter waits are not reported.
const WORTH_A_WORD: Duration = Duration::from_secs(2);

/// Headers that say when to retry, in milliseconds.
const MILLISECONDS: [&str; 2] = ["retry-after-ms", "x-ms-retry-after-ms"];

/// What to do after a try.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Next {
    /// Retry after this pause.
    Again(Duration),
    /// Return the reply.
    Take,
    /// The server asks for a longer wait than is left.
    TooLong(Duration),
}

/// Decides what to do after a reply, with this much of the budget left.
pub(super) fn after_reply(status: u16, headers: &HeaderMap, tries: u32, left: Duration) -> Next {
    if !matches!(status, 408 | 429 | 500 | 502 | 503 | 504) {
        return Next::Take;
    }
    match (retry_after(headers), tries < MAX_TRIES) {
        (Some(wait), _) if wait >= left => Next::TooLong(wait),
        (Some(wait), true) => Next::Again(wait.max(FIRST_PAUSE)),
        (None, true) if pause(tries) < left => Next::Again(pause(tries)),
        _ => Next::Take,
    }
}

/// Returns the pause after a try without a reply; `None` if there is to be no other. A try that timed out would time out again.
pub(super) fn after_failure(error: &HttpError, tries: u32, left: Duration) -> Option<Duration> {
    let may_pass = matches!(error, HttpError::Unreachable { source, .. } if !source.is_timeout());
    Some(pause(tries)).filter(|pause| may_pass && tries < MAX_TRIES && *pause < left)
}

fn pause(tries: u32) -> Duration {
    FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(tries.saturating_sub(1)))
}

/// Reads `Retry-After` (RFC 9110, section 10.2.3), seconds or a date, or what Azure sends in its place.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let milliseconds = MILLISECONDS
        .iter()
        .find_map(|name| text(name)?.parse().ok());
    if let Some(milliseconds) = milliseconds {
        return Some(Duration::from_millis(milliseconds));
    }
    let value = text(RETRY_AFTER.as_str())?;
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = UnixTime::from_http_date(value)?;
    // By the clock of the server, which the date is by.
    let now = text(DATE.as_str()).and_then(UnixTime::from_http_date);
    Some(until.since(now.unwrap_or_else(|| SystemClock.now())))
}

/// The waits of this process that servers asked for.
static WAITS: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn waits() -> MutexGuard<'static, Vec<String>> {
    WAITS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns a sentence about a wait of this process that a server asked for, if there is one.
#[must_use]
pub(crate) fn current_wait() -> Option<String> {
    waits().first().cloned()
}

/// A wait that [`current_wait`] reports.
#[derive(Debug)]
pub(super) struct Wait(String);

impl Wait {
    pub(super) fn begin(host: &str, wait: Duration) -> Option<Self> {
        if wait < WORTH_A_WORD {
            return None;
        }
        let text = format!("`{host}` is busy and asks to wait {}", Spoken(wait));
        tracing::info!(host, seconds = wait.as_secs(), "waits as the server asks");
        waits().push(text.clone());
        Some(Self(text))
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        let mut waits = waits();
        if let Some(index) = waits.iter().position(|text| *text == self.0) {
            waits.remove(index);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEFT: Duration = Duration::from_secs(40);

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| ((*name).parse().unwrap(), value.parse().unwrap()))
            .collect::<Vec<(reqwest::header::HeaderName, _)>>()
            .into_iter()
            .collect()
    }

    fn next(pairs: &[(&'static str, &str)]) -> Next {
        after_reply(429, &headers(pairs), 1, LEFT)
    }

    #[test]
    fn the_server_says_when_to_come_again_in_seconds_a_date_or_milliseconds() {
        let date = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
        for (pairs, seconds) in [
            (&[("retry-after", "20")][..], 20),
            (
                &[("retry-after", "Sun, 06 Nov 1994 08:49:57 GMT"), date],
                20,
            ),
            (&[("x-ms-retry-after-ms", "3000")], 3),
        ] {
            assert_eq!(
                next(pairs),
                Next::Again(Duration::from_secs(seconds)),
                "{pairs:?}"
            );
        }
        for (pairs, seconds) in [
            (&[("retry-after", "40")][..], 40),
            (&[("retry-after", "120")], 120),
            (
                &[("retry-after", "Sun, 06 Nov 1994 08:51:37 GMT"), date],
                120,
            ),
            (&[("retry-after", "99999999999")], 99_999_999_999),
        ] {
            assert_eq!(
                next(pairs),
                Next::TooLong(Duration::from_secs(seconds)),
                "{pairs:?}"
            );
        }
        // A date that has passed, and what is neither.
        let passed = [("retry-after", "Sun, 06 Nov 1994 08:49:00 GMT"), date];
        assert_eq!(next(&passed), Next::Again(FIRST_PAUSE));
        assert_eq!(next(&[("retry-after", "soon")]), Next::Again(FIRST_PAUSE));
    }

    #[test]
    fn a_request_is_sent_as_often_as_the_limit_and_no_more() {
        let none = HeaderMap::new();
        assert_eq!(
            after_reply(503, &none, MAX_TRIES - 1, LEFT),
            Next::Again(FIRST_PAUSE * 4)
        );
        assert_eq!(after_reply(503, &none, MAX_TRIES, LEFT), Next::Take);
        assert_eq!(
            after_reply(503, &none, 1, FIRST_PAUSE),
            Next::Take,
            "time is up"
        );
        for status in [200, 302, 400, 401, 404, 409, 501] {
            assert_eq!(after_reply(status, &none, 1, LEFT), Next::Take, "{status}");
        }
    }

    #[test]
    fn a_wait_can_be_learnt_of_while_it_lasts() {
        assert!(Wait::begin("short.example", Duration::from_secs(1)).is_none());
        let wait = Wait::begin("long.example", Duration::from_secs(20));
        let expected = "`long.example` is busy and asks to wait 20 s";
        assert_eq!(current_wait().as_deref(), Some(expected));
        drop(wait);
        assert_ne!(current_wait().as_deref(), Some(expected));
    }
}
