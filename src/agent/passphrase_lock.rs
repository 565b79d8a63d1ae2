use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ring::hmac::{self, HMAC_SHA256};
use tokio::sync::Mutex;
use tokio::time::sleep;

use crate::host::random;
use crate::openssh::agent_protocol::Passphrase;

/// How long the second try takes after a first wrong one; each further one takes twice as long.
const FIRST_DELAY: Duration = Duration::from_millis(100);
/// How long a try takes at most.
const LONGEST_DELAY: Duration = Duration::from_secs(10);

/// What `ssh-add -x` locks and `ssh-add -X` unlocks. The passphrase itself is not kept.
#[derive(Debug, Default)]
pub(super) struct PassphraseLock {
    is_locked: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// A random key, and the passphrase's code under it.
    passphrase: Option<(hmac::Key, hmac::Tag)>,
    wrong_tries: u32,
}

impl PassphraseLock {
    pub(super) fn is_locked(&self) -> bool {
        self.is_locked.load(Ordering::Acquire)
    }

    /// Locks; what is locked already is not locked again.
    pub(super) async fn lock(&self, passphrase: Passphrase<'_>) -> bool {
        let mut state = self.state.lock().await;
        if state.passphrase.is_some() {
            return false;
        }
        let Ok(key) = hmac::Key::generate(HMAC_SHA256, &random::source()) else {
            return false;
        };
        let tag = hmac::sign(&key, passphrase.0);
        state.passphrase = Some((key, tag));
        self.is_locked.store(true, Ordering::Release);
        true
    }

    /// Unlocks, if it is the passphrase. Each wrong one makes the next try slower, and there is one try at a time: another
    /// one meanwhile counts as wrong, unseen.
    pub(super) async fn unlock(&self, passphrase: Passphrase<'_>) -> bool {
        let Ok(mut state) = self.state.try_lock() else {
            return false;
        };
        sleep(delay(state.wrong_tries)).await;
        // The comparison takes as long for a passphrase that is nearly right.
        let is_right = state
            .passphrase
            .as_ref()
            .is_some_and(|(key, tag)| hmac::verify(key, passphrase.0, tag.as_ref()).is_ok());
        if is_right {
            *state = State::default();
            self.is_locked.store(false, Ordering::Release);
        } else if state.passphrase.is_some() {
            state.wrong_tries = state.wrong_tries.saturating_add(1);
        }
        is_right
    }
}

fn delay(wrong_tries: u32) -> Duration {
    match wrong_tries.checked_sub(1) {
        None => Duration::ZERO,
        Some(doublings) => FIRST_DELAY
            .saturating_mul(2_u32.saturating_pow(doublings))
            .min(LONGEST_DELAY),
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    const RIGHT: Passphrase<'_> = Passphrase(b"right");
    const WRONG: Passphrase<'_> = Passphrase(b"wrong");

    #[tokio::test]
    async fn only_the_passphrase_unlocks() {
        let lock = PassphraseLock::default();
        assert!(!lock.unlock(RIGHT).await, "it is not locked");
        assert!(lock.lock(RIGHT).await && lock.is_locked());
        assert!(!lock.lock(WRONG).await, "it is locked already");
        assert!(!lock.unlock(WRONG).await && lock.is_locked());
        assert!(lock.unlock(RIGHT).await && !lock.is_locked());
        assert!(lock.lock(Passphrase(b"")).await);
        assert!(lock.unlock(Passphrase(b"")).await);
    }

    #[tokio::test]
    async fn wrong_passphrases_take_longer_and_longer_and_one_at_a_time() {
        let taken: Vec<_> = (0..10).map(|tries| delay(tries).as_millis()).collect();
        assert_eq!(
            taken,
            [0, 100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]
        );
        assert_eq!(delay(u32::MAX), LONGEST_DELAY);
        let lock = PassphraseLock::default();
        lock.lock(RIGHT).await;
        assert!(!lock.unlock(WRONG).await);
        let begun = Instant::now();
        let tries = tokio::join!(lock.unlock(WRONG), lock.unlock(RIGHT));
        assert_eq!(tries, (false, false), "while one is tried, no other is");
        assert!(begun.elapsed() >= FIRST_DELAY);
        assert!(lock.unlock(RIGHT).await);
    }
}
