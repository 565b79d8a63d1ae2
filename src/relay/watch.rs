//! Deadlines of a connection, without a clock: when to ping, and when to give up.

use std::time::Duration;

use tokio::time::Instant;

/// How often to send a ping; the relay drops connections that are idle for two minutes.
const PING_INTERVAL: Duration = Duration::from_secs(30);
/// How long the relay may stay silent after a ping. TCP's own limits notice a dead link sooner; this one is for a relay that
/// holds the connection and does nothing, and must not hit one that is merely slow to take an upload.
const PONG_LIMIT: Duration = Duration::from_secs(90);
/// How long to wait for the far side's last data when sending fails.
const LAST_WORDS_LIMIT: Duration = Duration::from_secs(2);
/// How long the far side may stay silent once our input has ended.
const DRAIN_LIMIT: Duration = Duration::from_secs(10);
/// How soon after the end of our input, and then how often, to check that our output still has a reader.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// What to do at a deadline.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Overdue {
    /// Nothing has come for a while since our input ended.
    Drain,
    /// The far side has said nothing since sending failed.
    LastWords,
    /// Check that our output still has a reader.
    Look,
    /// Send a ping.
    Ping,
    /// Nothing has come since a ping, for so long.
    Pong(Duration),
}

/// What has happened when, as far as a deadline hangs on it.
#[derive(Debug)]
pub(super) struct Watch {
    next_ping: Instant,
    /// When the first ping was sent that nothing has come after.
    pinged: Option<Instant>,
    /// When sending failed.
    broken: Option<Instant>,
    /// When something came last, or the input ended: nothing before that end.
    draining: Option<Instant>,
    next_look: Instant,
    has_come: bool,
}

impl Watch {
    pub(super) fn begin(now: Instant) -> Self {
        Self {
            next_ping: now + PING_INTERVAL,
            pinged: None,
            broken: None,
            draining: None,
            next_look: now,
            has_come: false,
        }
    }

    /// Records that something has come. It is dated at the next deadline, not now: that is soon enough, and costs nothing.
    pub(super) const fn on_bytes(&mut self) {
        self.has_come = true;
        self.pinged = None;
    }

    pub(super) fn on_ping(&mut self, now: Instant) {
        self.pinged = self.pinged.or(Some(now));
    }

    pub(super) fn on_input_end(&mut self, now: Instant) {
        self.draining = Some(now);
        self.next_look = now + LOOK_INTERVAL;
        self.has_come = false;
    }

    pub(super) const fn on_break(&mut self, now: Instant) {
        self.broken = Some(now);
    }

    pub(super) const fn has_input_ended(&self) -> bool {
        self.draining.is_some()
    }

    /// Returns when [`Watch::on_deadline`] has something to say next, at the earliest.
    pub(super) fn deadline(&self) -> Instant {
        [
            self.broken.map(|broken| broken + LAST_WORDS_LIMIT),
            self.draining.map(|_| self.next_look),
            self.pinged.map(|pinged| pinged + PONG_LIMIT),
        ]
        .into_iter()
        .flatten()
        .fold(self.next_ping, Instant::min)
    }

    /// Returns what is overdue. While the output takes nothing, what comes is not read, so that silence says nothing.
    pub(super) fn on_deadline(&mut self, now: Instant, is_output_full: bool) -> Option<Overdue> {
        if is_output_full {
            self.on_bytes();
        }
        if let Some(since) = self.draining.as_mut()
            && std::mem::take(&mut self.has_come)
        {
            *since = now;
        }
        if self
            .broken
            .is_some_and(|broken| now >= broken + LAST_WORDS_LIMIT)
        {
            return Some(Overdue::LastWords);
        }
        if self
            .draining
            .is_some_and(|since| now >= since + DRAIN_LIMIT)
        {
            return Some(Overdue::Drain);
        }
        if let Some(pinged) = self.pinged
            && now >= pinged + PONG_LIMIT
        {
            return Some(Overdue::Pong(now.duration_since(pinged)));
        }
        if now >= self.next_ping {
            self.next_ping = now + PING_INTERVAL;
            return Some(Overdue::Ping);
        }
        if self.draining.is_some() && now >= self.next_look {
            self.next_look = now + LOOK_INTERVAL;
            return Some(Overdue::Look);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lets time go by until something is overdue, and returns what, and when.
    fn wait(watch: &mut Watch, begun: Instant) -> (Overdue, Duration) {
        loop {
            let now = watch.deadline();
            if let Some(overdue) = watch.on_deadline(now, false) {
                return (overdue, now - begun);
            }
        }
    }

    #[test]
    fn a_ping_is_sent_every_thirty_seconds_and_silence_after_it_has_a_limit() {
        let begun = Instant::now();
        let mut watch = Watch::begin(begun);
        let (overdue, after) = wait(&mut watch, begun);
        assert_eq!((overdue, after), (Overdue::Ping, PING_INTERVAL));
        watch.on_ping(begun + after);
        watch.on_bytes();
        let (overdue, after) = wait(&mut watch, begun);
        assert_eq!((overdue, after), (Overdue::Ping, 2 * PING_INTERVAL));
        watch.on_ping(begun + after);
        for _ in 0..2 {
            let (overdue, after) = wait(&mut watch, begun);
            assert_eq!(overdue, Overdue::Ping);
            watch.on_ping(begun + after);
        }
        let end = 2 * PING_INTERVAL + PONG_LIMIT;
        let overdue = (Overdue::Pong(PONG_LIMIT), end);
        assert_eq!(wait(&mut watch, begun), overdue);
    }

    #[test]
    fn silence_says_nothing_while_the_output_takes_nothing() {
        let begun = Instant::now();
        let mut watch = Watch::begin(begun);
        watch.on_ping(begun);
        let overdue = watch.on_deadline(begun + 2 * PONG_LIMIT, true);
        assert_eq!(overdue, Some(Overdue::Ping));
    }

    #[test]
    fn the_end_of_the_input_gives_what_still_comes_ten_idle_seconds() {
        let begun = Instant::now();
        let mut watch = Watch::begin(begun);
        watch.on_input_end(begun);
        let mut now = begun;
        while now < begun + 2 * DRAIN_LIMIT {
            now = watch.deadline();
            watch.on_bytes();
            assert_ne!(watch.on_deadline(now, false), Some(Overdue::Drain));
        }
        loop {
            let (overdue, after) = wait(&mut watch, begun);
            match overdue {
                Overdue::Look | Overdue::Ping => {}
                other => {
                    assert_eq!(other, Overdue::Drain);
                    assert!(begun + after >= now + DRAIN_LIMIT);
                    assert!(begun + after <= now + DRAIN_LIMIT + LOOK_INTERVAL);
                    break;
                }
            }
        }
    }

    #[test]
    fn last_words_are_waited_for_two_seconds() {
        let begun = Instant::now();
        let mut watch = Watch::begin(begun);
        watch.on_break(begun);
        let overdue = (Overdue::LastWords, LAST_WORDS_LIMIT);
        assert_eq!(wait(&mut watch, begun), overdue);
    }
}
