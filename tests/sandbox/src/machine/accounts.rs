//! Accounts that exist for one `sshd` and its sessions only.
//!
//! `sshd` logs in accounts of the system, and a login name such as `alice@contoso.com` is none. Here
//! `libnss_wrapper.so`, preloaded into `sshd` and its sessions, answers from tables in the machine's
//! folder instead of the system's. Every login name has the uid and the gid of this process, so `sshd`
//! can log in all of them whoever runs it, and nothing of the system changes.
//!
//! ```text
//! accounts/passwd             the login names, then the system's accounts: what `sshd` itself sees
//! accounts/sessions/LOGIN     the same with LOGIN first: its sessions take the first name of their uid
//! accounts/group              the one group of all
//! home/LOGIN                  the home
//! ```

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use rustix::process::{getegid, geteuid};
use tokio::fs;

/// The account that the commands of `sshd` run as: another name for the user of this process, whose
/// own name may not exist.
pub(super) const READER: &str = "sandbox-reader";

/// The file name of the library.
const LIBRARY: &str = "libnss_wrapper.so";

/// Where systems keep libraries. Debian has a folder for each architecture below the first one.
const LIBRARY_FOLDERS: [&str; 3] = ["/usr/lib", "/usr/lib64", "/usr/local/lib"];

/// The system's accounts. As root, `sshd` needs one of them to confine itself.
const SYSTEM_ACCOUNTS: &str = "/etc/passwd";

/// Returns whether this process is root's.
pub(super) fn is_root() -> bool {
    geteuid().is_root()
}

/// The tables, and the library that reads them.
#[derive(Debug)]
pub(super) struct Accounts {
    folder: PathBuf,
    library: PathBuf,
}

impl Accounts {
    /// Makes the tables and the homes in a machine's folder. Homes of an earlier start stay as they are.
    ///
    /// # Errors
    ///
    /// Returns `NotFound` if the library is not installed, and what comes from the files themselves.
    pub(super) async fn create(machine: &Path, logins: &[String]) -> io::Result<Self> {
        let library = library()?;
        let folder = machine.join("accounts");
        let sessions = folder.join("sessions");
        let homes = machine.join("home");
        for folder in [&sessions, &homes] {
            fs::create_dir_all(folder).await?;
        }
        let system = fs::read_to_string(SYSTEM_ACCOUNTS)
            .await
            .unwrap_or_default();
        let mut common = String::new();
        for login in logins {
            common += &account(login, &homes.join(login));
        }
        common = common + &account(READER, Path::new("/")) + &system;
        for login in logins {
            let home = homes.join(login);
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&home)
                .await?;
            let table = account(login, &home) + &common;
            fs::write(sessions.join(login), table).await?;
        }
        fs::write(folder.join("passwd"), common).await?;
        // Without `tty`: only root may give a terminal to that group.
        let group = format!("sandbox:*:{}:\n", getegid().as_raw());
        fs::write(folder.join("group"), group).await?;
        Ok(Self { folder, library })
    }

    /// Returns the variables under which `sshd` sees the login names.
    pub(super) fn of_server(&self) -> [(&'static str, PathBuf); 3] {
        self.variables(self.folder.join("passwd"))
    }

    /// Returns the variables under which a session sees its login name as its own.
    pub(super) fn of_session(&self, login: &str) -> [(&'static str, PathBuf); 3] {
        self.variables(self.folder.join("sessions").join(login))
    }

    fn variables(&self, accounts: PathBuf) -> [(&'static str, PathBuf); 3] {
        [
            ("LD_PRELOAD", self.library.clone()),
            ("NSS_WRAPPER_PASSWD", accounts),
            ("NSS_WRAPPER_GROUP", self.folder.join("group")),
        ]
    }
}

/// Returns a line of passwd(5). The password is one that nothing matches; `!` would lock the account.
fn account(login: &str, home: &Path) -> String {
    format!(
        "{login}:*:{}:{}:entra-ssh sandbox:{}:{}\n",
        geteuid().as_raw(),
        getegid().as_raw(),
        home.display(),
        shell()
    )
}

fn shell() -> &'static str {
    let bash = "/bin/bash";
    if Path::new(bash).exists() {
        bash
    } else {
        "/bin/sh"
    }
}

/// Looks for the library. The loader ignores one that it does not find, and so must not be asked.
fn library() -> io::Result<PathBuf> {
    let mut folders: Vec<PathBuf> = LIBRARY_FOLDERS.iter().map(PathBuf::from).collect();
    for entry in std::fs::read_dir("/usr/lib")
        .into_iter()
        .flatten()
        .flatten()
    {
        let of_architecture = |name: &OsStr| name.to_string_lossy().contains("-linux-");
        if of_architecture(&entry.file_name()) {
            folders.push(entry.path());
        }
    }
    folders
        .iter()
        .map(|folder| folder.join(LIBRARY))
        .find(|library| library.exists())
        .ok_or_else(|| {
            let text = format!("`{LIBRARY}` is not installed: install libnss-wrapper");
            io::Error::new(io::ErrorKind::NotFound, text)
        })
}
