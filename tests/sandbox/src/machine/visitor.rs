//! Somebody who visits a machine in tests, with OpenSSH's own programs.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use super::Machine;

/// A folder with a user CA and a key pair.
pub(super) struct Visitor {
    folder: TempDir,
}

impl Visitor {
    pub(super) async fn new() -> Self {
        let visitor = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        visitor.make_key("ca").await;
        visitor.make_key("id").await;
        visitor
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Makes an RSA key pair, as Entra's authority and its subjects have.
    pub(super) async fn make_key(&self, name: &str) {
        self.ssh_keygen(&[
            "-q", "-t", "rsa", "-b", "2048", "-N", "", "-C", "", "-f", name,
        ])
        .await;
    }

    pub(super) fn user_ca(&self) -> String {
        std::fs::read_to_string(self.path("ca.pub")).unwrap()
    }

    /// Certifies the key pair.
    pub(super) async fn certify(&self, ca: &str, principal: &str, validity: &str) {
        self.ssh_keygen(&[
            "-q", "-s", ca, "-I", "visitor", "-n", principal, "-V", validity, "id.pub",
        ])
        .await;
    }

    async fn ssh_keygen(&self, arguments: &[&str]) {
        let made = Command::new("ssh-keygen")
            .args(arguments)
            .current_dir(self.folder.path())
            .output()
            .await
            .unwrap();
        assert!(made.status.success(), "{made:?}");
    }

    /// Returns `ssh` or `sftp` with everything set but the destination; the host key is pinned.
    pub(super) fn program(&self, name: &str, machine: &Machine) -> Command {
        self.program_with(name, Path::new("none"), machine)
    }

    /// Returns the same, with a configuration.
    pub(super) fn program_with(&self, name: &str, config: &Path, machine: &Machine) -> Command {
        let known_hosts = self.path("known_hosts");
        let address = machine.address();
        let line = format!(
            "[{}]:{} {}\n",
            address.ip(),
            address.port(),
            machine.host_key()
        );
        std::fs::File::create(&known_hosts)
            .and_then(|mut file| std::io::Write::write_all(&mut file, line.as_bytes()))
            .unwrap();
        let mut command = Command::new(name);
        command.arg("-F").arg(config).arg("-i").arg(self.path("id"));
        for option in [
            "BatchMode=yes".to_owned(),
            "IdentitiesOnly=yes".to_owned(),
            "IdentityAgent=none".to_owned(),
            "StrictHostKeyChecking=yes".to_owned(),
            "LogLevel=ERROR".to_owned(),
            "ConnectTimeout=120".to_owned(),
            format!("UserKnownHostsFile={}", known_hosts.display()),
            format!("Port={}", address.port()),
        ] {
            command.arg("-o").arg(option);
        }
        command.kill_on_drop(true);
        command
    }

    /// Runs a command on the machine, gives it `input`, and returns what came of it.
    pub(super) async fn run(
        &self,
        machine: &Machine,
        login: &str,
        line: &str,
        input: &[u8],
    ) -> Output {
        let mut ssh = self.program("ssh", machine);
        ssh.args(["-l", login, "127.0.0.1", line])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = ssh.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let feed = async move {
            // A command may end before it has read everything, and a refused visitor never starts one.
            let _ = stdin.write_all(input).await;
        };
        let (output, ()) = tokio::join!(child.wait_with_output(), feed);
        output.unwrap()
    }
}
