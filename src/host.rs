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

/// Where the address of the user's D-Bus is looked for.
pub const SESSION_BUS_VARIABLE: &str = "DBUS_SESSION_BUS_ADDRESS";

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

    /// Returns the address of the user's D-Bus: that of `DBUS_SESSION_BUS_ADDRESS`, or else the socket that systemd opens in
    /// the runtime folder, which a job of cron's finds, too.
    #[must_use]
    pub fn session_bus(&self) -> String {
        if let Some(address) = self.env.var(SESSION_BUS_VARIABLE) {
            return address.to_owned();
        }
        let folder = self.paths.runtime.parent().unwrap_or(&self.paths.runtime);
        format!("unix:path={}", folder.join("bus").display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bus_is_the_one_that_is_named_or_that_of_the_runtime_folder() {
        let bus = |pairs| {
            let env = Env::from(pairs);
            let paths = Paths::of(&env).unwrap();
            let clock = Arc::new(SystemClock);
            Host { clock, env, paths }.session_bus()
        };
        let home = ("HOME", "/home/ada");
        let runtime = ("XDG_RUNTIME_DIR", "/run/user/7");
        let named = (SESSION_BUS_VARIABLE, "unix:path=/tmp/bus");
        assert_eq!(bus([home, runtime, named]), "unix:path=/tmp/bus");
        let empty = (SESSION_BUS_VARIABLE, "");
        assert_eq!(bus([home, runtime, empty]), "unix:path=/run/user/7/bus");
    }
}
