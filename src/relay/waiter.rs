use std::future::poll_fn;
use std::task::{Context, Poll};

use tokio::time::{Instant, timeout_at};

#[cfg(unix)]
use crate::host::poll::Poller;

/// Who waits for what a tunnel cannot go on with.
pub(super) trait Waiter {
    /// Does a job until it is ready. Returns `None` once the deadline has passed.
    async fn until<T>(
        &self,
        deadline: Instant,
        job: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Option<T>;
}

/// The runtime that the task runs on.
pub(super) struct Runtime;

impl Waiter for Runtime {
    async fn until<T>(
        &self,
        deadline: Instant,
        job: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Option<T> {
        timeout_at(deadline, poll_fn(job)).await.ok()
    }
}

#[cfg(unix)]
impl Waiter for Poller {
    async fn until<T>(
        &self,
        deadline: Instant,
        job: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Option<T> {
        Self::until(self, deadline, job)
    }
}
