//! Renews certificates in use in the background, so that no caller waits.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::accounts::Accounts;
use super::certificates::LOOK_INTERVAL;
use crate::host::clock::Clock;
use crate::time::UnixTime;

/// How often they are looked at, at most.
const SHORTEST_PAUSE: Duration = Duration::from_millis(250);
/// By how much the clock may differ from the time that has passed; more is a jump.
const LARGEST_DRIFT: Duration = Duration::from_secs(5);

impl Accounts {
    /// Looks after the accounts that are open, for ever.
    pub(super) async fn keep_renewed(&self) {
        let mut watch = Watch::new(self.clock());
        loop {
            let mut pause = LOOK_INTERVAL;
            let has_jumped = watch.has_jumped(self.clock().now(), Instant::now());
            for account in self.opened().await {
                if has_jumped {
                    account.wake();
                }
                pause = pause.min(account.renew_if_due());
            }
            tokio::select! {
                () = sleep(pause.max(SHORTEST_PAUSE)) => {}
                () = self.changed().notified() => {}
            }
        }
    }
}

/// Compares the clock with the time that passes while this process runs, which stands still while the machine sleeps.
struct Watch {
    wall: UnixTime,
    steady: Instant,
}

impl Watch {
    fn new(clock: &Arc<dyn Clock>) -> Self {
        Self {
            wall: clock.now(),
            steady: Instant::now(),
        }
    }

    /// Returns whether the machine has slept or its clock has been set since the last look.
    fn has_jumped(&mut self, wall: UnixTime, steady: Instant) -> bool {
        let passed = steady.saturating_duration_since(self.steady);
        let expected = self.wall.after(passed);
        *self = Self { wall, steady };
        wall.since(expected) > LARGEST_DRIFT || expected.since(wall) > LARGEST_DRIFT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sleep_and_a_clock_that_is_set_are_noticed_once() {
        let (start, steady) = (UnixTime::from_seconds(1_000_000), Instant::now());
        let mut watch = Watch {
            wall: start,
            steady,
        };
        let second = Duration::from_secs(1);
        let mut look = |wall: u64, passed: u32| {
            let wall = UnixTime::from_seconds(1_000_000 + wall);
            watch.has_jumped(wall, steady + second * passed)
        };
        assert!(!look(15, 15));
        assert!(!look(32, 30), "two seconds are drift");
        assert!(look(3600, 45), "it slept");
        assert!(!look(3615, 60));
        assert!(look(100, 75), "the clock was set back");
        assert!(!look(115, 90));
    }
}
