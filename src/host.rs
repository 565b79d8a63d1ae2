//! Floor 1: the only doors to the machine that this runs on.
//!
//! Everything above asks here for the time, the environment, files, locks, programs and the network, so that a test can
//! hand in another world and a reader can find every side effect in one folder.

pub mod browser;
pub mod clock;
pub mod descriptor_passing;
pub mod env;
pub mod files;
pub mod http;
pub mod http_proxy;
#[cfg(unix)]
pub mod inherited;
pub mod interrupts;
pub mod liveness;
pub mod lock;
pub mod loopback;
pub mod memory;
pub mod paths;
#[cfg(unix)]
pub mod poll;
pub mod process;
pub mod program;
pub mod standard_streams;
pub mod tcp;
pub mod tls;

use std::sync::Arc;

use self::clock::{Clock, SystemClock};
use self::env::Env;
use self::paths::{Paths, PathsError};

/// The machine: its clock, its environment, and where our files lie on it.
#[derive(Clone, Debug)]
pub struct Host {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The environment variables.
    pub env: Env,
    /// Where our files lie.
    pub paths: Paths,
}

impl Host {
    /// Returns the machine that this process runs on.
    ///
    /// # Errors
    /// [`PathsError::NoHome`] if there is no home folder.
    pub fn of_this_process() -> Result<Self, PathsError> {
        let env = Env::of_this_process();
        let paths = Paths::of(&env)?;
        Ok(Self {
            clock: Arc::new(SystemClock),
            env,
            paths,
        })
    }
}
