//! OpenSSH's own server, configured as on an Azure VM with the extension `AADSSHLoginForLinux`.
//!
//! ```text
//! Match User *@*,????????-????-????-????-????????????      user names and the IDs of applications
//!     AuthenticationMethods publickey
//!     PubkeyAuthentication yes
//!     AuthorizedKeysCommand /bin/cat authorities/%u        the extension: /usr/sbin/aad_certhandler %u %k
//!         cert-authority,principals="…" ssh-rsa AAAA…      what that prints
//! ```
//!
//! - Login names are accounts to this `sshd` only, and all of them run as the user of this process, be it
//!   root or not (see `accounts`). Their homes are in the machine's folder.
//! - A login name that the pattern does not match, such as `builder`, is a local account: certificates do
//!   not let it in, and the `.ssh/authorized_keys` in its home does.
//! - `sshd` compares principals byte by byte. Each is accepted as it is given and in lower case.
//! - Account names are in the case they are given, and that is the only one.
//! - As on the images of the marketplace, X11 forwarding is on, and nothing else about forwarding is set.

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

use super::accounts::{Accounts, READER};
use super::{MachineOptions, accounts, process_tree};

/// Where systems keep `sshd`; it insists on being started by its full path.
const PLACES: [&str; 3] = ["/usr/sbin/sshd", "/usr/local/sbin/sshd", "/usr/bin/sshd"];

/// The folder that Debian's `sshd` confines itself to; only the service's own start makes it.
const PRIVILEGE_SEPARATION: &str = "/run/sshd";

/// The login names that the extension answers for: those with an `@`, and GUIDs.
const ENTRA_LOGINS: &str = "*@*,????????-????-????-????-????????????";

/// How long `sshd` may take to listen, on a busy machine.
const START_TIME: Duration = Duration::from_secs(60);

/// How often `sshd` is started again because another program took its port.
const MAX_STARTS: usize = 5;

/// How long a killed `sshd` may take to be gone, on a busy machine.
const STOP_TIME: Duration = Duration::from_secs(30);

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
    accounts: Accounts,
    folder: PathBuf,
    host_key: String,
    log: PathBuf,
    logins: Vec<String>,
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
        // The last one separates the fields of an account.
        if folder.to_string_lossy().contains(['"', '\\', '\n', ':']) {
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
        if accounts::is_root() {
            make_privilege_separation_folder()?;
        }
        write_authorities(&folder, &options.user_ca, &options.principals).await?;
        Ok(Self {
            sshd,
            accounts: Accounts::create(&folder, &logins).await?,
            host_key: make_host_key(&folder.join("host_key")).await?,
            log: folder.join("sshd.log"),
            folder,
            logins,
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
            .envs(self.accounts.of_server())
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
        let text = configuration(&self.folder, port, &self.accounts, &self.logins);
        let optional = "PerSourcePenalties no\n";
        fs::write(&file, format!("{optional}{text}")).await?;
        if !self.try_out(&file).await?.status.success() {
            fs::write(&file, text).await?;
            let output = self.try_out(&file).await?;
            if !output.status.success() {
                let reason = String::from_utf8_lossy(&output.stderr);
                return Err(failure(&reason, "`sshd` does not take its configuration"));
            }
        }
        Ok(file)
    }

    async fn try_out(&self, configuration: &Path) -> io::Result<std::process::Output> {
        Command::new(self.sshd)
            .args(["-t", "-f"])
            .arg(configuration)
            .envs(self.accounts.of_server())
            .output()
            .await
    }
}

fn configuration(folder: &Path, port: u16, accounts: &Accounts, logins: &[String]) -> String {
    let folder = folder.display().to_string();
    // In a command of `sshd` a percent sign starts a placeholder.
    let tables = folder.replace('%', "%%");
    let sessions: Vec<String> = logins
        .iter()
        .map(|login| {
            let variables = accounts.of_session(login);
            let variables =
                variables.map(|(name, value)| format!(" \"{name}={}\"", value.display()));
            format!("Match User \"{login}\"\n    SetEnv{}\n", variables.concat())
        })
        .collect();
    let sessions = sessions.concat();
    // `PermitRootLogin`: started by root, every account is uid 0.
    format!(
        "\
ListenAddress 127.0.0.1
Port {port}
PidFile none
LogLevel VERBOSE
HostKey \"{folder}/host_key\"
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin yes
UsePAM no
UseDNS no
StrictModes no
PrintMotd no
X11Forwarding yes
MaxStartups 200
MaxSessions 200
Subsystem sftp internal-sftp
{sessions}\
Match User {ENTRA_LOGINS}
    AuthenticationMethods publickey
    PubkeyAuthentication yes
    AuthorizedKeysCommand /bin/cat \"{tables}/authorities/%u\"
    AuthorizedKeysCommandUser {READER}
"
    )
}

/// Writes a file for each login name, and removes those of an earlier start.
async fn write_authorities(
    folder: &Path,
    user_ca: &str,
    principals: &[(String, Vec<String>)],
) -> io::Result<()> {
    let authorities = folder.join("authorities");
    if authorities.exists() {
        fs::remove_dir_all(&authorities).await?;
    }
    fs::create_dir(&authorities).await?;
    for (login, accepted) in principals {
        fs::write(authorities.join(login), authority(user_ca, accepted)).await?;
    }
    Ok(())
}

/// Returns the line of `authorized_keys` that trusts the user CA for these principals; nothing if there
/// are none.
fn authority(user_ca: &str, principals: &[String]) -> String {
    let names: BTreeSet<String> = principals
        .iter()
        .flat_map(|principal| [principal.clone(), principal.to_lowercase()])
        .collect();
    if names.is_empty() {
        return String::new();
    }
    let names: Vec<String> = names.into_iter().collect();
    let names = names.join(",");
    format!("cert-authority,principals=\"{names}\" {user_ca}\n")
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
