//! A machine to log in to with an OpenSSH user certificate.
//!
//! Both kinds listen on a loopback port, trust one user CA, refuse passwords and plain public keys,
//! and are gone with what they started once their [`Machine`] is dropped.
//!
//! ```text
//!                    Embedded                          Sshd
//! server             in this process                   OpenSSH's own `sshd`
//! needs              `sh`, to run commands             Linux, `sshd`, `ssh-keygen`, `libnss_wrapper.so`
//! login names        any; there are no accounts        accounts of its own (see `machine::accounts`)
//! commands run as    whoever runs the sandbox          whoever runs the sandbox
//! terminals          real on Linux, else refused       real
//! extensions         not looked at                     `permit-pty`, `permit-port-forwarding`, …
//! ```
//!
//! OpenSSH itself is the judge of what a certificate must look like; the embedded machine is for
//! the tests and demonstrations that must run anywhere.

mod embedded;
mod gate;
mod guest;
mod process;
mod pump;
#[cfg(target_os = "linux")]
mod terminal;
#[cfg(all(test, unix))]
mod visitor;

#[cfg(target_os = "linux")]
mod accounts;
#[cfg(target_os = "linux")]
mod process_tree;
#[cfg(target_os = "linux")]
mod sshd;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use embedded::EmbeddedMachine;
use russh::keys::PublicKey;
#[cfg(target_os = "linux")]
use sshd::SshdMachine;

/// What answers on the machine's SSH port.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum MachineKind {
    /// An SSH server inside this process, which needs no set-up.
    Embedded,
    /// The system's own OpenSSH server.
    Sshd,
}

/// What a machine is started with.
#[derive(Clone, Debug)]
pub struct MachineOptions {
    /// Which server it is.
    pub kind: MachineKind,
    /// The user CA, as a line of `authorized_keys`: `ssh-rsa AAAA… comment`.
    pub user_ca: String,
    /// Login names, each with the certificate principals that may log in by it.
    pub principals: Vec<(String, Vec<String>)>,
    /// Where the machine keeps its files: homes, keys, configuration, log. Made if it is missing,
    /// and left behind.
    pub folder: PathBuf,
}

/// A running machine; it stops when it is dropped.
#[derive(Debug)]
pub struct Machine {
    running: Running,
}

#[derive(Debug)]
enum Running {
    Embedded(EmbeddedMachine),
    #[cfg(target_os = "linux")]
    Sshd(SshdMachine),
}

impl Machine {
    /// Starts a machine and returns when its port accepts connections.
    ///
    /// # Errors
    ///
    /// - `InvalidInput`: the user CA is no public key, a login name could not be the name of a folder,
    ///   or a principal does not fit in a list.
    /// - `NotFound`: `sshd` is asked for, and it or `libnss_wrapper.so` is not installed; the text names the
    ///   package.
    /// - `Unsupported`: `sshd` is asked for on a system that has none.
    /// - Any other kind comes from the files, sockets and programs themselves.
    pub async fn start(mut options: MachineOptions) -> io::Result<Self> {
        let user_ca = PublicKey::from_openssh(&options.user_ca)
            .and_then(|key| key.to_openssh())
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        options.user_ca = user_ca;
        for (login, accepted) in &options.principals {
            check_login(login)?;
            accepted.iter().try_for_each(|name| check_principal(name))?;
        }
        tokio::fs::create_dir_all(&options.folder).await?;
        let running = match options.kind {
            MachineKind::Embedded => Running::Embedded(EmbeddedMachine::start(options).await?),
            #[cfg(target_os = "linux")]
            MachineKind::Sshd => Running::Sshd(SshdMachine::start(options).await?),
            #[cfg(not(target_os = "linux"))]
            MachineKind::Sshd => return Err(io::ErrorKind::Unsupported.into()),
        };
        Ok(Self { running })
    }

    /// Returns where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        match &self.running {
            Running::Embedded(machine) => machine.address(),
            #[cfg(target_os = "linux")]
            Running::Sshd(machine) => machine.address(),
        }
    }

    /// Returns its host key: `ssh-ed25519 AAAA…`, without a comment.
    #[must_use]
    pub fn host_key(&self) -> String {
        match &self.running {
            Running::Embedded(machine) => machine.host_key(),
            #[cfg(target_os = "linux")]
            Running::Sshd(machine) => machine.host_key(),
        }
    }

    /// Returns what it wrote down so far, with the reason of every refusal.
    #[must_use]
    pub fn log(&self) -> String {
        match &self.running {
            Running::Embedded(machine) => machine.log(),
            #[cfg(target_os = "linux")]
            Running::Sshd(machine) => machine.log(),
        }
    }
}

/// A login name becomes a file name, a field of an account, and a pattern in `sshd`'s configuration.
fn check_login(login: &str) -> io::Result<()> {
    let unfit = |c: char| c.is_whitespace() || c.is_control() || "/\\:\"*?!,".contains(c);
    if login.is_empty() || login.starts_with('.') || login.contains(unfit) {
        let text = format!("`{login}` cannot be a login name");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    Ok(())
}

/// A principal becomes a line, and a part of a list between quotes.
fn check_principal(name: &str) -> io::Result<()> {
    let unfit = |c: char| c.is_whitespace() || c.is_control() || ",\"\\".contains(c);
    if name.is_empty() || name.contains(unfit) {
        let text = format!("`{name}` cannot be a principal");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{check_login, check_principal};

    #[test]
    fn user_principal_names_can_be_login_names() {
        for login in [
            "alice@contoso.com",
            "linus_fabrikam.example#ext#@contoso.example",
            "root",
            "-dash@contoso.example",
            "o'brien@contoso.example",
        ] {
            assert!(check_login(login).is_ok(), "{login}");
        }
    }

    #[test]
    fn login_names_that_leave_the_folder_or_match_others_are_refused() {
        for login in [
            "", ".", "..", "a/b", "a\\b", "*", "a b", "a\nb", "a:b", "\"a",
        ] {
            assert!(check_login(login).is_err(), "{login:?}");
        }
    }

    #[test]
    fn principals_that_break_a_list_are_refused() {
        assert!(check_principal("linus_fabrikam.example#EXT#@contoso.example").is_ok());
        for name in ["", "a b", "a\nb", "a,b", "a\"b"] {
            assert!(check_principal(name).is_err(), "{name:?}");
        }
    }
}
