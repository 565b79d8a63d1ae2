use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::certificate::{KeyError, KeyKind, KeyPair};
use crate::host::process;

/// How many key pairs are kept for later, of all kinds together.
const MAX_SPARE: usize = 4;

/// Key pairs that are made before they are needed: an RSA key takes a good part of a second, and no caller should wait for it.
#[derive(Clone, Default)]
pub(crate) struct SpareKeys {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    made: Notify,
}

#[derive(Default)]
struct State {
    ready: Vec<KeyPair>,
    /// The kinds of those that are being made at low priority.
    in_the_making: Vec<KeyKind>,
    error: Option<KeyError>,
}

impl SpareKeys {
    /// Makes a key pair of this kind, unless one is ready, on a thread of its own that gives way to everything else.
    pub(crate) fn make_ahead(&self, kind: KeyKind) {
        {
            let mut state = self.shared.state();
            let is_there = state.ready.iter().any(|ready| ready.kind() == kind);
            if is_there || state.in_the_making.contains(&kind) {
                return;
            }
            state.in_the_making.push(kind);
        }
        let shared = Arc::clone(&self.shared);
        let started = std::thread::Builder::new()
            .name("spare key".to_owned())
            .spawn(move || {
                process::give_way();
                let made = KeyPair::generate(kind);
                shared.finished(kind, made, true);
            });
        if started.is_err() {
            // Without a thread there is no spare key, and the caller that needs one makes it.
            self.shared
                .state()
                .in_the_making
                .retain(|other| *other != kind);
        }
    }

    /// Returns a key pair of this kind: one that is ready, or else the first that gets ready. One that is being made at low
    /// priority may take long on a busy machine, so that another is begun beside it; the later of the two is kept.
    ///
    /// # Errors
    /// [`KeyError`] if the system gives no random numbers.
    pub(crate) async fn take(&self, kind: KeyKind) -> Result<KeyPair, KeyError> {
        if let Some(ready) = self.shared.take(kind) {
            return Ok(ready);
        }
        let shared = Arc::clone(&self.shared);
        tokio::task::spawn_blocking(move || {
            let made = KeyPair::generate(kind);
            shared.finished(kind, made, false);
        });
        loop {
            let made = self.shared.made.notified();
            tokio::pin!(made);
            made.as_mut().enable();
            if let Some(ready) = self.shared.take(kind) {
                return Ok(ready);
            }
            if let Some(error) = self.shared.state().error.take() {
                return Err(error);
            }
            made.await;
        }
    }

    /// Takes back a key pair that got no certificate.
    pub(crate) fn give_back(&self, key_pair: KeyPair) {
        Shared::keep(&mut self.shared.state(), key_pair);
        self.shared.made.notify_waiters();
    }
}

impl Shared {
    fn keep(state: &mut State, key_pair: KeyPair) {
        if state.ready.len() < MAX_SPARE {
            state.ready.push(key_pair);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, kind: KeyKind) -> Option<KeyPair> {
        let mut state = self.state();
        let index = state.ready.iter().position(|ready| ready.kind() == kind)?;
        Some(state.ready.remove(index))
    }

    fn finished(&self, kind: KeyKind, made: Result<KeyPair, KeyError>, is_ahead: bool) {
        let mut state = self.state();
        if is_ahead {
            state.in_the_making.retain(|other| *other != kind);
        }
        match made {
            Ok(key_pair) => Self::keep(&mut state, key_pair),
            Err(error) => state.error = Some(error),
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

    const RSA: KeyKind = KeyKind::Rsa { bits: 2048 };

    #[tokio::test]
    async fn a_key_that_was_made_ahead_is_handed_out_once() {
        let keys = SpareKeys::default();
        keys.make_ahead(RSA);
        keys.make_ahead(RSA);
        while format!("{keys:?}") != "SpareKeys(1 ready)" {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let first = keys.take(RSA).await.unwrap();
        assert_eq!(format!("{keys:?}"), "SpareKeys(0 ready)");
        let second = keys.take(RSA).await.unwrap();
        assert_ne!(first.public_key(), second.public_key());
    }

    #[tokio::test]
    async fn a_caller_that_comes_while_one_is_made_gets_the_first_that_is_ready() {
        let keys = SpareKeys::default();
        keys.make_ahead(RSA);
        let (one, other) = tokio::join!(keys.take(RSA), keys.take(RSA));
        assert_ne!(one.unwrap().public_key(), other.unwrap().public_key());
    }

    #[tokio::test]
    async fn no_caller_gets_a_key_of_another_kind() {
        let keys = SpareKeys::default();
        keys.give_back(KeyPair::generate(RSA).unwrap());
        let other = keys.take(KeyKind::Ed25519).await.unwrap();
        assert_eq!(other.kind(), KeyKind::Ed25519);
        assert_eq!(keys.take(RSA).await.unwrap().kind(), RSA);
    }

    #[tokio::test]
    async fn a_length_that_is_too_short_is_refused() {
        let error = SpareKeys::default()
            .take(KeyKind::Rsa { bits: 1024 })
            .await
            .unwrap_err();
        assert!(
            matches!(error, KeyError::TooShort { bits: 1024, .. }),
            "{error}"
        );
    }
}
