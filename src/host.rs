//! Floor 1: the only access to the machine that this process runs on.
//!
//! All other floors get the time, the environment, files, locks, programs and the network from here, so that a test can
//! replace them and a reader can find every side effect in one folder.

pub(crate) mod browser;
pub(crate) mod clock;
pub(crate) mod closed_output;
pub(crate) mod descriptor_passing;
pub(crate) mod env;
pub(crate) mod files;
pub(crate) mod folder_watch;
pub(crate) mod http;
pub(crate) mod http_proxy;
pub(crate) mod interrupts;
pub(crate) mod liveness;
pub(crate) mod local_socket;
pub(crate) mod lock;
pub(crate) mod loopback;
pub(crate) mod memory;
pub(crate) mod output;
pub(crate) mod own_socket;
mod passwd;
pub(crate) mod paths;
mod places;
#[cfg(unix)]
pub(crate) mod poll;
pub(crate) mod process;
pub(crate) mod program;
pub(crate) mod random;
pub(crate) mod standard_streams;
pub(crate) mod tcp;
#[cfg(unix)]
pub(crate) mod terminal;
pub(crate) mod tls;
pub(crate) mod vault;

use std::sync::Arc;

use self::clock::{Clock, SystemClock};
use self::env::Env;
use self::paths::{Paths, PathsError};
use self::vault::{OwnMemory, Vault};

/// The variable that holds the address of the user's D-Bus.
pub(crate) const SESSION_BUS_VARIABLE: &str = "DBUS_SESSION_BUS_ADDRESS";

/// The variables that configure access to the network: the proxy, and the root certificates.
pub(crate) const NETWORK_VARIABLES: [&str; 8] = [
    "ALL_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "all_proxy",
    "https_proxy",
    "no_proxy",
];

/// The machine: its clock, its environment, and the paths of our files.
#[derive(Clone, Debug)]
pub struct Host {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The environment variables.
    pub env: Env,
    /// The paths of our files.
    pub paths: Paths,
    /// The memory keyring, which the agent holds.
    pub memory: Arc<dyn Vault>,
}

impl Host {
    /// Returns the machine that this process runs on.
    ///
    /// # Errors
    /// [`PathsError`] if there is no home folder, or another user owns it.
    pub fn of_this_process() -> Result<Self, PathsError> {
        let env = Env::of_this_process();
        let paths = Paths::of(&env)?;
        paths.check_owner(&env)?;
        Ok(Self {
            clock: Arc::new(SystemClock),
            env,
            paths,
            memory: Arc::<OwnMemory>::default(),
        })
    }

    /// Returns the address of the user's D-Bus: `DBUS_SESSION_BUS_ADDRESS`, or else the socket that systemd opens in the
    /// runtime folder, which a cron job can use, too. In a folder that all users share, any user could own the socket.
    #[must_use]
    pub fn session_bus(&self) -> String {
        if let Some(address) = self.env.var(SESSION_BUS_VARIABLE) {
            return address.to_owned();
        }
        let runtime = &self.paths.runtime;
        let is_in_own_folder = runtime.ends_with("entra-ssh");
        let folder = runtime.parent().filter(|_| is_in_own_folder);
        let folder = folder.unwrap_or(runtime);
        format!("unix:path={}", folder.join("bus").display())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn user() -> u32 {
        rustix::process::geteuid().as_raw()
    }

    #[test]
    fn the_bus_is_the_one_that_is_named_or_that_of_the_runtime_folder() {
        let bus = |pairs| {
            let env = Env::from(pairs);
            let paths = Paths::of(&env).unwrap();
            let clock = Arc::new(SystemClock);
            let memory = Arc::<OwnMemory>::default();
            let host = Host {
                clock,
                env,
                paths,
                memory,
            };
            host.session_bus()
        };
        let home = ("HOME", "/home/ada");
        let folder = tempfile::Builder::new()
            .prefix("es")
            .tempdir_in("/tmp")
            .unwrap();
        let runtime = ("XDG_RUNTIME_DIR", folder.path().to_str().unwrap());
        let named = (SESSION_BUS_VARIABLE, "unix:path=/tmp/bus");
        assert_eq!(bus([home, runtime, named]), "unix:path=/tmp/bus");
        let empty = (SESSION_BUS_VARIABLE, "");
        let of_folder = format!("unix:path={}/bus", folder.path().display());
        assert_eq!(bus([home, runtime, empty]), of_folder);
        if !Path::new("/run/user").join(user().to_string()).exists() {
            let nowhere = ("XDG_RUNTIME_DIR", "/nowhere");
            let open = std::os::unix::fs::PermissionsExt::from_mode(0o777);
            std::fs::set_permissions(folder.path(), open).unwrap();
            let home = ("HOME", folder.path().to_str().unwrap());
            let of_nobody_else = format!("unix:path=/tmp/entra-ssh-{}/bus", user());
            assert_eq!(bus([home, nowhere, empty]), of_nobody_else);
        }
    }
}
