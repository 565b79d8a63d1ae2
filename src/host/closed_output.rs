//! Whether standard output was closed when this process began.
//!
//! Before `main`, Rust's runtime opens `/dev/null` in the place of each standard stream that is closed. A result would vanish
//! there, and its writer would be told that all is well. So this is found out before the runtime begins, by [`look`].

use std::sync::atomic::{AtomicBool, Ordering};

static WAS_CLOSED: AtomicBool = AtomicBool::new(false);

/// Tells whether standard output was closed when this process began, as far as the system lets that be known.
#[must_use]
pub(crate) fn was_closed() -> bool {
    WAS_CLOSED.load(Ordering::Relaxed)
}

/// Finds out whether standard output is closed; to be called before the runtime begins.
pub extern "C" fn look() {
    #[cfg(unix)]
    if rustix::io::fcntl_getfd(rustix::stdio::stdout()).is_err() {
        WAS_CLOSED.store(true, Ordering::Relaxed);
    }
}
