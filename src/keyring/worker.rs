use std::fmt;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

use super::{KeyringError, Store};

type Job = Box<dyn FnOnce() + Send>;

/// A thread that does one thing after the other, apart from the runtime: the Secret Service's library blocks, and runs a
/// runtime of its own.
pub(super) struct Worker {
    jobs: mpsc::Sender<Job>,
    store: Option<Arc<dyn Store>>,
}

impl Worker {
    pub(super) fn start() -> Self {
        let (jobs, queue) = mpsc::channel::<Job>();
        thread::spawn(move || {
            for job in queue {
                job();
            }
        });
        Self { jobs, store: None }
    }

    pub(super) fn over(store: Arc<dyn Store>) -> Self {
        Self {
            store: Some(store),
            ..Self::start()
        }
    }

    /// Runs a job and waits for it, for at most `patience`; what takes longer goes on, unheard.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        patience: Duration,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, KeyringError> {
        let timed_out = || KeyringError::TimedOut {
            seconds: patience.as_secs(),
        };
        let (sender, receiver) = oneshot::channel();
        let job: Job = Box::new(move || {
            // Nobody waits any more if the time was up.
            let _unheard = sender.send(job());
        });
        self.jobs.send(job).map_err(|_| timed_out())?;
        tokio::time::timeout(patience, receiver)
            .await
            .map_err(|_| timed_out())?
            .map_err(|_| timed_out())
    }

    /// Calls the store.
    pub(super) async fn call<T: Send + 'static>(
        &self,
        patience: Duration,
        job: impl FnOnce(&dyn Store) -> Result<T, KeyringError> + Send + 'static,
    ) -> Result<T, KeyringError> {
        let Some(store) = self.store.clone() else {
            return Err(KeyringError::NoneAvailable {
                refusals: Vec::new(),
            });
        };
        self.run(patience, move || job(store.as_ref())).await?
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Worker")
    }
}
