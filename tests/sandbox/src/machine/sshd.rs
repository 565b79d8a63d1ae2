//! OpenSSH's own server, with a configuration that trusts the user CA and nothing else.
//!
//! How a login name finds its account and its principals:
//!
//! ```text
//! ssh alice@contoso.com@…      account `alice@contoso.com`, made by root if it is missing
//!   certificate principals     one of the lines of principals/alice@contoso.com
//! ```
//!
//! - As root, login names that are no accounts are made accounts of the system, and stay.
//! - As an ordinary user `sshd` can log in that user alone, so the one login name is its own, with
//!   the principals of whoever shall come in by it: `("builder", vec!["alice@contoso.com"])`. Clients
//!   are then told to log in by that name.
//! - `sshd` compares principals byte by byte. Each is accepted as it is given and in lower case.
//! - Account names are in the case they are given, and that is the only one.
//!
//! The principals are read by `AuthorizedPrincipalsCommand`, since `AuthorizedPrincipalsFile` would be
//! opened as the account, which may not enter the machine's folder.
//! There `sshd` takes `#` for the start of a comment, and guests have it in their names. So such
//! principals are given by `AuthorizedKeysCommand` as well, as options of a `cert-authority` line.

use std::collections::BTreeSet;
use std::fs::DirBuilder;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::fs;
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

use super::{MachineOptions, accounts, process_tree};

/// Where systems keep `sshd`; it insists on being started by its full path.
const PLACES: [&str; 3] = ["/usr/sbin/sshd", "/usr/local/sbin/sshd", "/usr/bin/sshd"];

/// The folder that Debian's `sshd` confines itself to; only the service's own start makes it.
const PRIVILEGE_SEPARATION: &str = "/run/sshd";

/// How long `sshd` may take to listen.
const START_TIME: Duration = Duration::from_secs(10);

/// How often `sshd` is started anew because somebody else took its port.
const MAX_STARTS: usize = 5;

/// How long a killed `sshd` may take to be gone.
const STOP_TIME: Duration = Duration::from_secs(1);

/// The running server.
#[derive(Debug)]
pub(super) struct SshdMachine {
    address: SocketAddr,
    child: Child,
    host_key: String,
    log: PathBuf,
}

impl SshdMachine {
    pub(super) async fn start(options: MachineOptions) -> io::Result<Self> {
        let setup = Setup::new(options).await?;
        let mut result = setup.launch().await;
        for _ in 1..MAX_STARTS {
            match result {
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                    result = setup.launch().await;
                }
                _ => break,
            }
        }
        let (address, child) = result?;
        Ok(Self {
            address,
            child,
            host_key: setup.host_key,
            log: setup.log,
        })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn host_key(&self) -> String {
        self.host_key.clone()
    }

    pub(super) fn log(&self) -> String {
        let log = std::fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }
}

impl Drop for SshdMachine {
    fn drop(&mut self) {
        if let Some(id) = self.child.id() {
            process_tree::kill(id);
        }
        let step = Duration::from_millis(1);
        let mut waited = Duration::ZERO;
        while waited < STOP_TIME && matches!(self.child.try_wait(), Ok(None)) {
            std::thread::sleep(step);
            waited += step;
        }
    }
}

/// Everything that is made before `sshd` starts.
struct Setup {
    sshd: &'static Path,
    folder: PathBuf,
    host_key: String,
    log: PathBuf,
    /// The account that reads the principals.
    reader: String,
}

impl Setup {
    async fn new(options: MachineOptions) -> io::Result<Self> {
        let sshd = PLACES
            .into_iter()
            .map(Path::new)
            .find(|place| place.exists());
        let sshd = sshd.ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::NotFound,
                "`sshd` is not installed: install openssh-server",
            )
        })?;
        let folder = fs::canonicalize(&options.folder).await?;
        if folder.to_string_lossy().contains(['"', '\\', '\n']) {
            let text = format!(
                "{} cannot stand in a configuration of `sshd`",
                folder.display()
            );
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let logins: Vec<String> = options
            .principals
            .iter()
            .map(|(login, _)| login.clone())
            .collect();
        accounts::ensure(&logins).await?;
        if accounts::is_root() {
            make_privilege_separation_folder()?;
        }
        fs::write(folder.join("user_ca.pub"), format!("{}\n", options.user_ca)).await?;
        write_principals(&folder, &options.user_ca, &options.principals).await?;
        Ok(Self {
            sshd,
            host_key: make_host_key(&folder.join("host_key")).await?,
            log: folder.join("sshd.log"),
            folder,
            reader: accounts::current().await?,
        })
    }

    /// Starts `sshd` on a port that was free a moment ago.
    ///
    /// # Errors
    ///
    /// Returns `AddrInUse` when somebody else has the port now.
    async fn launch(&self) -> io::Result<(SocketAddr, Child)> {
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await?
            .local_addr()?;
        let configuration = self.write_configuration(address.port()).await?;
        let mut child = Command::new(self.sshd)
            .args(["-D", "-f"])
            .arg(configuration)
            .arg("-E")
            .arg(&self.log)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let ready = format!("Server listening on 127.0.0.1 port {}.", address.port());
        let deadline = Instant::now() + START_TIME;
        while Instant::now() < deadline {
            let log = fs::read_to_string(&self.log).await.unwrap_or_default();
            if log.contains(&ready) {
                return Ok((address, child));
            }
            if let Some(status) = child.try_wait()? {
                return Err(failure(&log, &format!("`sshd` ended with {status}")));
            }
            sleep(Duration::from_millis(5)).await;
        }
        Err(io::ErrorKind::TimedOut.into())
    }

    /// Writes the configuration, with what this version of `sshd` understands.
    ///
    /// From 9.8 on `sshd` locks addresses out that fail often, and here all visitors have the same.
    async fn write_configuration(&self, port: u16) -> io::Result<PathBuf> {
        let file = self.folder.join("sshd_config");
        let text = configuration(&self.folder, &self.reader, port);
        fs::write(&file, format!("{text}PerSourcePenalties no\n")).await?;
        let try_out = |file| {
            Command::new(self.sshd)
                .arg("-t")
                .arg("-f")
                .arg(file)
                .output()
        };
        if !try_out(&file).await?.status.success() {
            fs::write(&file, text).await?;
            let output = try_out(&file).await?;
            if !output.status.success() {
                let reason = String::from_utf8_lossy(&output.stderr);
                return Err(failure(&reason, "`sshd` does not take its configuration"));
            }
        }
        Ok(file)
    }
}

fn configuration(folder: &Path, reader: &str, port: u16) -> String {
    let folder = folder.display().to_string();
    // In a command of `sshd` a percent sign starts a placeholder.
    let tables = folder.replace('%', "%%");
    format!(
        "\
ListenAddress 127.0.0.1
Port {port}
PidFile none
LogLevel VERBOSE
HostKey \"{folder}/host_key\"
TrustedUserCAKeys \"{folder}/user_ca.pub\"
AuthorizedPrincipalsCommand /bin/cat \"{tables}/principals/%u\"
AuthorizedPrincipalsCommandUser {reader}
AuthorizedKeysCommand /bin/cat \"{tables}/authorities/%u\"
AuthorizedKeysCommandUser {reader}
AuthorizedKeysFile none
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
UseDNS no
StrictModes no
PrintMotd no
MaxStartups 200
MaxSessions 200
Subsystem sftp internal-sftp
"
    )
}

/// Writes two files for each login name, and removes those of an earlier start.
async fn write_principals(
    folder: &Path,
    user_ca: &str,
    principals: &[(String, Vec<String>)],
) -> io::Result<()> {
    let lists = folder.join("principals");
    let authorities = folder.join("authorities");
    for table in [&lists, &authorities] {
        if table.exists() {
            fs::remove_dir_all(table).await?;
        }
        fs::create_dir(table).await?;
    }
    for (login, accepted) in principals {
        let (list, authority) = spell(user_ca, accepted);
        fs::write(lists.join(login), list).await?;
        fs::write(authorities.join(login), authority).await?;
    }
    Ok(())
}

/// Returns principals as a list of lines, and those with `#` as a line of `authorized_keys`.
fn spell(user_ca: &str, principals: &[String]) -> (String, String) {
    let names: BTreeSet<String> = principals
        .iter()
        .flat_map(|principal| [principal.clone(), principal.to_lowercase()])
        .collect();
    let (awkward, plain): (Vec<_>, Vec<_>) = names.into_iter().partition(|name| name.contains('#'));
    let list = plain.join("\n") + "\n";
    if awkward.is_empty() {
        return (list, String::new());
    }
    let awkward = awkward.join(",");
    (
        list,
        format!("cert-authority,principals=\"{awkward}\" {user_ca}\n"),
    )
}

/// Makes the host key unless an earlier start did, and returns its public half without a comment.
async fn make_host_key(file: &Path) -> io::Result<String> {
    if !file.exists() {
        let output = Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-C", "", "-f"])
            .arg(file)
            .stdin(Stdio::null())
            .output()
            .await?;
        if !output.status.success() {
            let reason = String::from_utf8_lossy(&output.stderr);
            return Err(failure(&reason, "`ssh-keygen` makes no host key"));
        }
    }
    let line = fs::read_to_string(file.with_extension("pub")).await?;
    Ok(line
        .split_whitespace()
        .take(2)
        .collect::<Vec<_>>()
        .join(" "))
}

fn make_privilege_separation_folder() -> io::Result<()> {
    let made = DirBuilder::new().mode(0o755).create(PRIVILEGE_SEPARATION);
    match made {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        // Where there is no /run, `sshd` is built to use another folder.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        made => made,
    }
}

/// Makes an error of what a program said last.
fn failure(said: &str, what: &str) -> io::Error {
    let kind = if said.contains("Address already in use") {
        io::ErrorKind::AddrInUse
    } else {
        io::ErrorKind::Other
    };
    let last = said.trim().lines().next_back().unwrap_or_default();
    io::Error::new(kind, format!("{what}: {last}"))
}

#[cfg(test)]
mod tests;
