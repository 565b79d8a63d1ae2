//! The folder for sockets and locks: it exists, only this user can write to it, and its path is short enough for a socket.
//!
//! All commands of a user derive the same folder, regardless of the environment: in a shell, in a cron job after the last
//! logout, and in a container without a home.

use std::path::{Path, PathBuf};

/// The maximum length of a socket path, in bytes: `sun_path` of `unix(7)` without its NUL; four less on the BSDs and macOS.
pub(super) const MAX_SOCKET_PATH_BYTES: usize = if cfg!(target_os = "linux") { 107 } else { 103 };
/// The longest name in the folder: the longer of the agent's two sockets.
const LONGEST_SOCKET_NAME: &str = "agent.sock.ask";
/// The name of our folder in one of the user's folders.
const OURS: &str = "entra-ssh";

/// The candidates for the parent of the folder.
#[derive(Clone, Copy, Debug)]
pub(super) struct Places<'a> {
    /// The value of `XDG_RUNTIME_DIR`.
    pub(super) runtime: Option<&'a Path>,
    /// The folder in which the system creates the users' runtime folders.
    pub(super) of_all_users: &'a Path,
    /// The value of `XDG_STATE_HOME`, or its default.
    pub(super) state: &'a Path,
    /// The folder in which all users may create folders.
    pub(super) temporary: &'a Path,
}

impl Places<'_> {
    /// Returns the first usable folder: in the runtime folder of the environment, in the runtime folder of the system, or in
    /// the state folder. The last resort is a folder in the temporary folder, with the user's ID in its name; callers check
    /// its owner and mode when they use it.
    pub(super) fn choose(&self, user: u32) -> PathBuf {
        let of_system = self.of_all_users.join(user.to_string());
        let runtimes = [self.runtime, Some(of_system.as_path())];
        let mut runtimes = runtimes.into_iter().flatten();
        if let Some(runtime) = runtimes.find(|base| is_usable(base, user)) {
            return runtime.join(OURS);
        }
        if nearest(self.state).is_some_and(|there| is_own(there, user))
            && is_usable_if_there(&self.state.join(OURS), user)
        {
            return self.state.join(OURS);
        }
        self.of_last_resort(user)
    }

    /// Returns all folders that [`Places::choose`] may return, now or when other candidates exist.
    pub(super) fn all(&self, user: u32) -> Vec<PathBuf> {
        let of_system = self.of_all_users.join(user.to_string());
        let bases = [self.runtime, Some(of_system.as_path()), Some(self.state)];
        let ours = bases.into_iter().flatten().map(|base| base.join(OURS));
        ours.chain([self.of_last_resort(user)]).collect()
    }

    fn of_last_resort(&self, user: u32) -> PathBuf {
        self.temporary.join(format!("{OURS}-{user}"))
    }
}

/// Returns whether `base` exists and can hold our folder.
fn is_usable(base: &Path, user: u32) -> bool {
    base.is_dir() && is_own(base, user) && is_usable_if_there(&base.join(OURS), user)
}

/// Returns whether a socket path in our folder is short enough, and the folder is this user's if it exists.
fn is_usable_if_there(folder: &Path, user: u32) -> bool {
    let is_short_enough =
        folder.join(LONGEST_SOCKET_NAME).as_os_str().len() <= MAX_SOCKET_PATH_BYTES;
    is_short_enough && (folder.symlink_metadata().is_err() || is_own(folder, user))
}

/// Returns the folder itself if it exists, or else its nearest existing parent.
fn nearest(folder: &Path) -> Option<&Path> {
    folder.ancestors().find(|above| above.is_dir())
}

/// Returns whether this user owns a folder and is the only one who may write to it.
#[cfg(unix)]
fn is_own(folder: &Path, user: u32) -> bool {
    use std::os::unix::fs::MetadataExt as _;

    use rustix::fs::{Access, AtFlags, CWD, accessat};
    let is_own = folder
        .metadata()
        .is_ok_and(|there| there.is_dir() && there.uid() == user && there.mode() & 0o022 == 0);
    let wanted = Access::WRITE_OK | Access::EXEC_OK;
    is_own && accessat(CWD, folder, wanted, AtFlags::EACCESS).is_ok()
}

#[cfg(not(unix))]
fn is_own(folder: &Path, _user: u32) -> bool {
    folder.is_dir()
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    struct Machine {
        folder: tempfile::TempDir,
        user: u32,
    }

    impl Machine {
        fn new() -> Self {
            let folder = tempfile::Builder::new().prefix("es").tempdir_in("/tmp");
            let machine = Self {
                folder: folder.unwrap(),
                user: rustix::process::geteuid().as_raw(),
            };
            for name in ["xdg", "home", "run", "tmp"] {
                machine.make(name, 0o700);
            }
            machine
        }

        fn path(&self, name: &str) -> PathBuf {
            self.folder.path().join(name)
        }

        fn make(&self, name: &str, mode: u32) -> PathBuf {
            let path = self.path(name);
            fs::create_dir_all(&path).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            path
        }

        fn choose(&self, runtime: Option<&str>) -> String {
            let runtime = runtime.map(|name| self.path(name));
            let places = Places {
                runtime: runtime.as_deref(),
                of_all_users: &self.path("run"),
                state: &self.path("home/.local/state"),
                temporary: &self.path("tmp"),
            };
            let chosen = places.choose(self.user);
            assert!(places.all(self.user).contains(&chosen));
            let chosen = chosen.strip_prefix(self.folder.path()).unwrap();
            let id = self.user.to_string();
            chosen.to_str().unwrap().replace(&id, "UID")
        }
    }

    #[test]
    fn a_runtime_folder_that_is_gone_gives_way_to_the_systems_and_then_to_the_state_folder() {
        let machine = Machine::new();
        assert_eq!(machine.choose(Some("xdg")), "xdg/entra-ssh");
        machine.make(&format!("run/{}", machine.user), 0o700);
        for runtime in [Some("gone"), None] {
            assert_eq!(machine.choose(runtime), "run/UID/entra-ssh");
        }
        fs::remove_dir(machine.path(&format!("run/{}", machine.user))).unwrap();
        for runtime in [Some("gone"), None] {
            assert_eq!(machine.choose(runtime), "home/.local/state/entra-ssh");
        }
    }

    #[test]
    fn without_a_home_to_write_to_the_temporary_folder_is_left() {
        let machine = Machine::new();
        machine.make("home", 0o777);
        assert_eq!(machine.choose(None), "tmp/entra-ssh-UID");
        // A missing home in another user's folder, such as `/`.
        let places = Places {
            runtime: None,
            of_all_users: Path::new("/nowhere"),
            state: Path::new("/proc/no-home/.local/state"),
            temporary: Path::new("/tmp"),
        };
        assert_eq!(places.choose(12345), Path::new("/tmp/entra-ssh-12345"));
    }

    #[test]
    fn a_folder_that_others_may_write_to_or_own_is_passed_over() {
        let machine = Machine::new();
        for mode in [0o777, 0o1777, 0o770] {
            machine.make("xdg", mode);
            assert_eq!(
                machine.choose(Some("xdg")),
                "home/.local/state/entra-ssh",
                "{mode:o}"
            );
        }
        machine.make("xdg", 0o755);
        assert_eq!(machine.choose(Some("xdg")), "xdg/entra-ssh");
        machine.make("xdg/entra-ssh", 0o777);
        assert_eq!(machine.choose(Some("xdg")), "home/.local/state/entra-ssh");
        let other = Places {
            runtime: Some(&machine.path("xdg")),
            of_all_users: Path::new("/nowhere"),
            state: &machine.path("home/.local/state"),
            temporary: Path::new("/tmp"),
        };
        // Another user, root included, gets another folder: `sudo -E`.
        let root = machine.user ^ 1;
        assert_eq!(
            other.choose(root),
            PathBuf::from(format!("/tmp/entra-ssh-{root}"))
        );
    }

    #[test]
    fn a_path_may_be_as_long_as_a_socket_s_and_no_longer() {
        let machine = Machine::new();
        let fixed = machine.path("").as_os_str().len() + "/entra-ssh/agent.sock.ask".len();
        let longest = "x".repeat(MAX_SOCKET_PATH_BYTES - fixed);
        machine.make(&longest, 0o700);
        assert_eq!(
            machine.choose(Some(&longest)),
            format!("{longest}/entra-ssh")
        );
        let socket = machine.path(&longest).join("entra-ssh/agent.sock.ask");
        fs::create_dir(socket.parent().unwrap()).unwrap();
        std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let too_long = format!("{longest}x");
        machine.make(&too_long, 0o700);
        assert_eq!(
            machine.choose(Some(&too_long)),
            "home/.local/state/entra-ssh"
        );
    }
}
