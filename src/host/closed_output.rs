//! Whether standard output was closed when this process started.
//!
//! Before `main`, Rust's runtime opens `/dev/null` in place of each standard stream that is closed. Output written there
//! would be lost without an error, so [`look`] checks before the runtime starts.

use std::sync::atomic::{AtomicBool, Ordering};

static WAS_CLOSED: AtomicBool = AtomicBool::new(false);

/// Returns whether standard output was closed when this process started; `false` where the system cannot tell.
#[must_use]
pub(crate) fn was_closed() -> bool {
    WAS_CLOSED.load(Ordering::Relaxed)
}

/// Records whether standard output is closed. Call it before the runtime starts.
pub extern "C" fn look() {
    #[cfg(unix)]
    if rustix::io::fcntl_getfd(rustix::stdio::stdout()).is_err() {
        WAS_CLOSED.store(true, Ordering::Relaxed);
    }
}
