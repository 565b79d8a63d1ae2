use std::fmt;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

use super::KeyringError;
use super::store::Store;

/// A thread's store: none until one has been opened there.
type Slot = Option<Box<dyn Store>>;
type Job = Box<dyn FnOnce(&mut Slot) + Send>;

/// A thread apart from the runtime that runs one job after the other, and that a store never leaves: the Secret Service's
/// library blocks, and runs a runtime of its own even to close its connection.
pub(super) struct Worker {
    jobs: mpsc::Sender<Job>,
}

impl Worker {
    pub(super) fn start() -> Self {
        let (jobs, queue) = mpsc::channel::<Job>();
        thread::spawn(move || {
            let mut slot = None;
            for job in queue {
                job(&mut slot);
            }
        });
        Self { jobs }
    }

    /// Opens the store.
    pub(super) async fn open<T: Send + 'static>(
        &self,
        patience: Duration,
        open: impl FnOnce() -> Result<(Box<dyn Store>, T), KeyringError> + Send + 'static,
    ) -> Result<T, KeyringError> {
        let opened = self.run(patience, move |slot| {
            open().map(|(store, value)| {
                *slot = Some(store);
                value
            })
        });
        opened.await?
    }

    /// Calls the store.
    pub(super) async fn call<T: Send + 'static>(
        &self,
        patience: Duration,
        job: impl FnOnce(&dyn Store) -> Result<T, KeyringError> + Send + 'static,
    ) -> Result<T, KeyringError> {
        let called = self.run(patience, move |slot| match slot {
            Some(store) => job(store.as_ref()),
            None => Err(KeyringError::NotOpen),
        });
        called.await?
    }

    /// Runs a job and waits for it, for at most `patience`; a longer one goes on, and its result is dropped.
    async fn run<T: Send + 'static>(
        &self,
        patience: Duration,
        job: impl FnOnce(&mut Slot) -> T + Send + 'static,
    ) -> Result<T, KeyringError> {
        let timed_out = || KeyringError::TimedOut {
            seconds: patience.as_secs(),
        };
        let (sender, receiver) = oneshot::channel();
        let job: Job = Box::new(move |slot| {
            // No caller waits any more once the time is up.
            let _unheard = sender.send(job(slot));
        });
        self.jobs.send(job).map_err(|_| timed_out())?;
        tokio::time::timeout(patience, receiver)
            .await
            .map_err(|_| timed_out())?
            .map_err(|_| timed_out())
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Worker")
    }
}
