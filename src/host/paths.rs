//! The paths of our files: XDG folders, `~/.ssh`, the agent's socket.

use std::path::{Path, PathBuf};

use super::env::Env;
use super::passwd;
use super::places::Places;

/// The name of the agent's socket.
const AGENT_SOCKET: &str = "agent.sock";

/// The paths of our files.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Paths {
    /// The home folder.
    pub home: PathBuf,
    /// Profiles: `$XDG_CONFIG_HOME/entra-ssh`.
    pub config: PathBuf,
    /// The file keyring, if the user chose it: `$XDG_DATA_HOME/entra-ssh`.
    pub data: PathBuf,
    /// State kept between runs: `$XDG_STATE_HOME/entra-ssh`.
    pub state: PathBuf,
    /// Locks and the agent's socket: `$XDG_RUNTIME_DIR/entra-ssh`, if it exists and the user owns it.
    pub runtime: PathBuf,
    /// The folders where an agent's socket may be that this user started with another `XDG_RUNTIME_DIR`.
    pub runtimes: Vec<PathBuf>,
}

impl Paths {
    /// Derives the paths from the environment.
    ///
    /// If `XDG_RUNTIME_DIR` is not set, does not exist, belongs to another user, or is too long for a socket, falls back to
    /// `/run/user/{uid}`, then `$XDG_STATE_HOME/entra-ssh`, then `/tmp/entra-ssh-{uid}`: a shell and a cron job of one user
    /// must use the same socket.
    ///
    /// # Errors
    /// [`PathsError::NoHome`] if neither the environment nor the system names a home folder, [`PathsError::RelativeHome`] if it
    /// is relative, and [`PathsError::ControlCharacter`] if one of the folders cannot be written to a config.
    pub fn of(env: &Env) -> Result<Self, PathsError> {
        if let Some(home) = env.var_os("HOME").map(Path::new)
            && home.is_relative()
        {
            return Err(PathsError::RelativeHome {
                home: home.to_path_buf(),
            });
        }
        let home = absolute(env, "HOME")
            .or_else(|| absolute(env, "USERPROFILE"))
            .or_else(|| std::env::home_dir().filter(|home| home.is_absolute()))
            .ok_or(PathsError::NoHome)?;
        let xdg =
            |name: &str, fallback: &str| absolute(env, name).unwrap_or_else(|| home.join(fallback));
        let runtime = absolute(env, "XDG_RUNTIME_DIR");
        if let Some(runtime) = &runtime {
            without_control_characters(runtime)?;
        }
        let places = Places {
            runtime: runtime.as_deref(),
            of_all_users: Path::new("/run/user"),
            state: &xdg("XDG_STATE_HOME", ".local/state"),
            temporary: temporary_folder(),
        };
        let paths = Self {
            runtime: places.choose(user()),
            runtimes: places.all(user()),
            config: xdg("XDG_CONFIG_HOME", ".config").join("entra-ssh"),
            data: xdg("XDG_DATA_HOME", ".local/share").join("entra-ssh"),
            state: xdg("XDG_STATE_HOME", ".local/state").join("entra-ssh"),
            home,
        };
        for folder in [
            &paths.home,
            &paths.config,
            &paths.data,
            &paths.state,
            &paths.runtime,
        ] {
            without_control_characters(folder)?;
        }
        Ok(paths)
    }

    /// Checks that the home folder is not another user's: `sudo -E` keeps `HOME`, so that root would leave files there and
    /// use the other user's agent. Accepts a home that merely has another owner, as in containers.
    ///
    /// # Errors
    /// [`PathsError::ForeignHome`].
    pub fn check_owner(&self, env: &Env) -> Result<(), PathsError> {
        let (Some(owner), user) = (owner(&self.home), user()) else {
            return Ok(());
        };
        let is_home_of = |id| passwd::user(id).is_some_and(|user| user.home == self.home);
        let is_by_sudo = env.var("SUDO_UID").and_then(|id| id.parse().ok()) == Some(owner);
        if owner == user || is_home_of(user) || !(is_by_sudo || is_home_of(owner)) {
            return Ok(());
        }
        Err(PathsError::ForeignHome {
            home: self.home.clone(),
            owner: passwd::user(owner).map_or_else(|| owner.to_string(), |owner| owner.name),
        })
    }

    /// Returns the agent's socket.
    #[must_use]
    pub fn agent_socket(&self) -> PathBuf {
        self.runtime.join(AGENT_SOCKET)
    }

    /// Returns the possible paths of the agent's socket in any environment of this user.
    pub fn agent_sockets(&self) -> impl Iterator<Item = PathBuf> {
        self.runtimes.iter().map(|folder| folder.join(AGENT_SOCKET))
    }

    /// Returns the link that the managed ssh config names instead of the agent's socket, whose path may change.
    #[must_use]
    pub fn agent_link(&self) -> PathBuf {
        self.home.join(".ssh").join("entra-ssh").join("agent.sock")
    }

    /// Returns the folder of ssh configs for single connections.
    #[must_use]
    pub fn connections(&self) -> PathBuf {
        self.runtime.join("connections")
    }

    /// Returns the folder of locks.
    #[must_use]
    pub fn locks(&self) -> PathBuf {
        self.runtime.join("locks")
    }

    /// Returns the file that records the last failure.
    #[must_use]
    pub fn last_failure(&self) -> PathBuf {
        self.state.join("last-failure.json")
    }

    /// Returns the folder of the user's own systemd units.
    #[must_use]
    pub fn systemd_user_units(&self) -> PathBuf {
        let config = self.config.parent().unwrap_or(&self.config);
        config.join("systemd").join("user")
    }

    /// Returns the user's own ssh config.
    #[must_use]
    pub fn ssh_config(&self) -> PathBuf {
        self.home.join(".ssh").join("config")
    }

    /// Returns the managed ssh config, which the user's config includes.
    #[must_use]
    pub fn managed_ssh_config(&self) -> PathBuf {
        self.home.join(".ssh").join("entra-ssh").join("config")
    }

    /// Returns the folder of keys and certificates stored in files, for clients that do not support agents.
    #[must_use]
    pub fn ssh_keys(&self) -> PathBuf {
        self.home.join(".ssh").join("entra-ssh").join("keys")
    }

    /// Returns the known hosts file of managed machines, each under a name derived from its resource ID.
    #[must_use]
    pub fn known_hosts(&self) -> PathBuf {
        self.home.join(".ssh").join("entra-ssh").join("known_hosts")
    }
}

/// Checks that a path contains no control characters: in a config, a newline would start another line.
///
/// # Errors
/// [`PathsError::ControlCharacter`].
pub(crate) fn without_control_characters(path: &Path) -> Result<(), PathsError> {
    if path.to_string_lossy().chars().any(char::is_control) {
        return Err(PathsError::ControlCharacter {
            path: path.to_path_buf(),
        });
    }
    Ok(())
}

/// Returns an absolute path from a variable. The XDG specification requires that relative paths be ignored.
fn absolute(env: &Env, name: &str) -> Option<PathBuf> {
    env.var_os(name)
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
}

/// Returns the folder in which all users may create folders, regardless of the environment.
fn temporary_folder() -> &'static Path {
    Path::new(if cfg!(unix) {
        "/tmp"
    } else {
        "C:\\Windows\\Temp"
    })
}

#[cfg(unix)]
fn user() -> u32 {
    rustix::process::geteuid().as_raw()
}

#[cfg(not(unix))]
const fn user() -> u32 {
    0
}

#[cfg(unix)]
fn owner(path: &Path) -> Option<u32> {
    use std::os::unix::fs::MetadataExt as _;
    path.metadata().ok().map(|there| there.uid())
}

#[cfg(not(unix))]
const fn owner(_path: &Path) -> Option<u32> {
    None
}

/// Why the paths could not be derived.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PathsError {
    /// A path contains a control character, such as a newline or an escape.
    #[error("the path `{}` contains a control character", .path.display().to_string().escape_debug())]
    ControlCharacter {
        /// The path.
        path: PathBuf,
    },
    /// Another user owns the home folder.
    #[error("the home folder `{}` belongs to `{owner}`, not to you", home.display())]
    ForeignHome {
        /// The folder.
        home: PathBuf,
        /// The name of its owner, or the user ID if it has no name.
        owner: String,
    },
    /// Neither the environment nor the system names a home folder.
    #[error("there is no home folder: `HOME` is not set")]
    NoHome,
    /// The home folder is relative, so that it would depend on the current folder.
    #[error("the home folder `{}` is not an absolute path", .home.display().to_string().escape_debug())]
    RelativeHome {
        /// The value of `HOME`.
        home: PathBuf,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xdg_variables_are_followed_unless_they_are_relative() {
        let runtime = tempfile::Builder::new()
            .prefix("es")
            .tempdir_in("/tmp")
            .unwrap();
        let env = Env::from([
            ("HOME", "/home/alice"),
            ("XDG_CONFIG_HOME", "config"),
            ("XDG_DATA_HOME", "/data"),
            ("XDG_RUNTIME_DIR", runtime.path().to_str().unwrap()),
        ]);
        let paths = Paths::of(&env).unwrap();
        assert_eq!(paths.config, Path::new("/home/alice/.config/entra-ssh"));
        assert_eq!(paths.data, Path::new("/data/entra-ssh"));
        assert_eq!(
            paths.agent_socket(),
            runtime.path().join("entra-ssh/agent.sock")
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_home_of_the_user_behind_sudo_is_refused_and_other_owners_are_not() {
        let home = tempfile::tempdir().unwrap();
        let paths = |folder: &Path, variables: [(&str, &str); 1]| {
            let home = [("HOME", folder.to_str().unwrap())];
            let paths = Paths::of(&Env::from(home)).unwrap();
            paths.check_owner(&Env::from(variables))
        };
        // The user's own home, no matter who ran sudo.
        let own = user().to_string();
        assert_eq!(paths(home.path(), [("SUDO_UID", &own)]), Ok(()));
        // Another user's folder: root's, or, for root, one of a user without a name.
        let (foreign, owner) = if user() == 0 {
            std::os::unix::fs::chown(home.path(), Some(54321), None).unwrap();
            (home.path(), "54321")
        } else {
            (Path::new("/"), "0")
        };
        assert_eq!(paths(foreign, [("SUDO_UID", "12345")]), Ok(()));
        let refusal = paths(foreign, [("SUDO_UID", owner)]).unwrap_err();
        assert!(
            matches!(&refusal, PathsError::ForeignHome { .. }),
            "{refusal}"
        );
    }

    #[test]
    fn reject_a_relative_home_and_control_characters_in_every_folder() {
        for home in ["home/alice", ".", "~"] {
            let refusal = Paths::of(&Env::from([("HOME", home)])).unwrap_err();
            assert_eq!(refusal, PathsError::RelativeHome { home: home.into() });
        }
        for name in [
            "HOME",
            "XDG_CONFIG_HOME",
            "XDG_DATA_HOME",
            "XDG_RUNTIME_DIR",
            "XDG_STATE_HOME",
        ] {
            // The last value of a variable wins.
            let env = Env::from([("HOME", "/home/alice"), (name, "/tmp/a\nMatch exec true")]);
            let refusal = Paths::of(&env).unwrap_err();
            assert!(
                matches!(refusal, PathsError::ControlCharacter { .. }),
                "{name}"
            );
            assert!(!refusal.to_string().contains('\n'), "{refusal}");
        }
    }
}
