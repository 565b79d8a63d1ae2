use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::certificate::KeyPair;
use crate::failure::Failure;
use crate::host::process;

/// How many key pairs are kept for later, of all lengths together.
const MAX_SPARE: usize = 4;

/// Key pairs that are made before they are needed: an RSA key takes a good part of a second, and nobody is to wait for it.
#[derive(Clone, Default)]
pub struct SpareKeys {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    made: Notify,
}

#[derive(Default)]
struct State {
    ready: Vec<(usize, KeyPair)>,
    /// The lengths of those that are being made at low priority.
    in_the_making: Vec<usize>,
    failure: Option<Failure>,
}

impl SpareKeys {
    /// Sees to it that there is going to be a key pair of so many bits, made on a thread of its own that gives way to
    /// everything else.
    pub fn make_ahead(&self, bits: usize) {
        {
            let mut state = self.shared.state();
            let is_there = state.ready.iter().any(|(ready, _)| *ready == bits);
            if is_there || state.in_the_making.contains(&bits) {
                return;
            }
            state.in_the_making.push(bits);
        }
        let shared = Arc::clone(&self.shared);
        let started = std::thread::Builder::new()
            .name("spare key".to_owned())
            .spawn(move || {
                process::give_way();
                let made = KeyPair::generate(bits);
                shared.finished(bits, made.map_err(Failure::from), true);
            });
        if started.is_err() {
            // Without a thread there is no spare key, and whoever needs one makes it.
            self.shared
                .state()
                .in_the_making
                .retain(|length| *length != bits);
        }
    }

    /// Returns a key pair of so many bits: one that is ready, or else the first that gets ready. One that is being made at low
    /// priority may take long on a busy machine, so that another is begun beside it; the later of the two is kept.
    ///
    /// # Errors
    /// [`Failure`] if the system gives no random numbers.
    pub async fn take(&self, bits: usize) -> Result<KeyPair, Failure> {
        if let Some(ready) = self.shared.take(bits) {
            return Ok(ready);
        }
        let shared = Arc::clone(&self.shared);
        tokio::task::spawn_blocking(move || {
            let made = KeyPair::generate(bits);
            shared.finished(bits, made.map_err(Failure::from), false);
        });
        loop {
            let made = self.shared.made.notified();
            tokio::pin!(made);
            made.as_mut().enable();
            if let Some(ready) = self.shared.take(bits) {
                return Ok(ready);
            }
            if let Some(failure) = self.shared.state().failure.take() {
                return Err(failure);
            }
            made.await;
        }
    }

    /// Takes back a key pair that got no certificate.
    pub fn give_back(&self, bits: usize, key_pair: KeyPair) {
        Shared::keep(&mut self.shared.state(), bits, key_pair);
        self.shared.made.notify_waiters();
    }
}

impl Shared {
    fn keep(state: &mut State, bits: usize, key_pair: KeyPair) {
        if state.ready.len() < MAX_SPARE {
            state.ready.push((bits, key_pair));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, bits: usize) -> Option<KeyPair> {
        let mut state = self.state();
        let index = state.ready.iter().position(|(ready, _)| *ready == bits)?;
        Some(state.ready.remove(index).1)
    }

    fn finished(&self, bits: usize, made: Result<KeyPair, Failure>, is_ahead: bool) {
        let mut state = self.state();
        if is_ahead {
            state.in_the_making.retain(|length| *length != bits);
        }
        match made {
            Ok(key_pair) => Self::keep(&mut state, bits, key_pair),
            Err(failure) => state.failure = Some(failure),
        }
        drop(state);
        self.made.notify_waiters();
    }
}

impl fmt::Debug for SpareKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SpareKeys({} ready)", self.shared.state().ready.len())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const BITS: usize = 2048;

    #[tokio::test]
    async fn a_key_that_was_made_ahead_is_handed_out_once() {
        let keys = SpareKeys::default();
        keys.make_ahead(BITS);
        keys.make_ahead(BITS);
        while format!("{keys:?}") != "SpareKeys(1 ready)" {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let first = keys.take(BITS).await.unwrap();
        assert_eq!(format!("{keys:?}"), "SpareKeys(0 ready)");
        let second = keys.take(BITS).await.unwrap();
        assert_ne!(first.public_key(), second.public_key());
    }

    #[tokio::test]
    async fn who_comes_while_one_is_made_gets_the_first_that_is_ready() {
        let keys = SpareKeys::default();
        keys.make_ahead(BITS);
        let (one, other) = tokio::join!(keys.take(BITS), keys.take(BITS));
        assert_ne!(one.unwrap().public_key(), other.unwrap().public_key());
    }

    #[tokio::test]
    async fn a_length_that_is_too_short_is_refused() {
        let failure = SpareKeys::default().take(1024).await.unwrap_err();
        assert!(failure.error.contains("1024"), "{failure}");
    }
}
