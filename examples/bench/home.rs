//! A home folder with a profile in it, and what stands in for an agent that has everything at hand.

use std::error::Error;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::far_end::FarEnd;

/// The machine that connections go to.
pub(crate) const MACHINE: &str = "/subscriptions/0b1f6471-1bf0-4dda-aec3-cb9272f09590/resourceGroups/rg-bench/providers/\
    Microsoft.HybridCompute/machines/bench";
/// A tenant that exists nowhere.
const TENANT: &str = "c0a70500-0000-4000-8000-000000000001";
/// The longest question that is read, in bytes.
const MAX_QUESTION_BYTES: u32 = 64 * 1024;

/// A home folder; the stand-in answers for as long as the process runs.
pub(crate) struct Home {
    folder: TempDir,
    program: PathBuf,
}

impl Home {
    pub(crate) fn make(program: &Path, far_end: &FarEnd) -> Result<Self, Box<dyn Error>> {
        let folder = tempfile::Builder::new()
            .prefix("es-bench")
            .tempdir_in("/tmp")?;
        let home = Self {
            folder,
            program: fs::canonicalize(program)?,
        };
        let config = home.path().join(".config/entra-ssh/profiles");
        let runtime = home.path().join("run/entra-ssh");
        fs::create_dir_all(&config)?;
        fs::create_dir_all(&runtime)?;
        put(&home.ca_file(), &far_end.ca_pem)?;
        let cloud = "name = \"bench\"\nauthority = \"https://localhost\"\nresource_manager = \"https://localhost\"\n\
            ca_file = \"ca.pem\"\n";
        let cloud_file = home.path().join("cloud.toml");
        put(&cloud_file, cloud)?;
        let profile = json!({
            "name": "default", "cloud": {"file": cloud_file}, "tenant": TENANT, "account": "ada@contoso.example",
            "method": "person", "keyring": "file",
        });
        put(&config.join("default.json"), &profile.to_string())?;
        let managed = home.path().join(".ssh/entra-ssh");
        fs::create_dir_all(&managed)?;
        let host = json!({
            "host": "bench", "resource_id": MACHINE, "user": "ada@contoso.example", "route": "relay", "identity": "agent",
            "profile": "default", "port": 22,
        });
        let block = format!("# >>> entra-ssh {host}\n# <<< entra-ssh\n");
        put(&managed.join("config"), &block)?;
        let listener = UnixListener::bind(runtime.join("agent.sock.ask"))?;
        let relay = far_end.web_socket.to_string();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let relay = relay.clone();
                // A question that breaks off is the asker's to notice.
                thread::spawn(move || answer(stream, &relay));
            }
        });
        Ok(home)
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn ca_file(&self) -> PathBuf {
        self.path().join("ca.pem")
    }

    /// Returns the command as ssh runs it.
    pub(crate) fn proxy(&self) -> Command {
        self.command(&["proxy", "--port", "22", MACHINE])
    }

    /// Returns the command that opens a local port, and prints which.
    pub(crate) fn forward(&self) -> Command {
        self.command(&["forward", "bench", "-o", "json"])
    }

    #[expect(clippy::disallowed_methods, reason = "a bench starts what it measures")]
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(arguments)
            .env_clear()
            .env("HOME", self.path())
            .env("XDG_RUNTIME_DIR", self.path().join("run"));
        command
    }
}

/// Builds the command as it is shipped, and returns where it lies.
#[expect(clippy::disallowed_methods, reason = "a bench starts what it measures")]
pub(crate) fn build_program() -> Result<PathBuf, Box<dyn Error>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args([
            "build",
            "--locked",
            "--release",
            "--package",
            "entra-ssh",
            "--bin",
            "entra-ssh",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdout(Stdio::null())
        .status()?;
    if !status.success() {
        return Err(format!("cargo build ended with {status}").into());
    }
    // This program lies in `examples` beside it.
    let own = std::env::current_exe()?;
    let folder = own
        .parent()
        .and_then(Path::parent)
        .ok_or("this program lies nowhere")?;
    Ok(folder.join("entra-ssh"))
}

fn put(path: &Path, text: &str) -> io::Result<()> {
    fs::File::create_new(path)?.write_all(text.as_bytes())
}

/// Answers questions as the agent does (PROTOCOL.agent, extension `ask@entra-ssh`).
fn answer(mut stream: UnixStream, relay: &str) -> io::Result<()> {
    loop {
        let mut length = [0; 4];
        stream.read_exact(&mut length)?;
        let length = u32::from_be_bytes(length).min(MAX_QUESTION_BYTES);
        let mut message = vec![0; usize::try_from(length).unwrap_or_default()];
        stream.read_exact(&mut message)?;
        let wants_certificate = message
            .windows(13)
            .any(|window| window == b"\"certificate\"");
        let result =
            json!({"Ok": if wants_certificate { certificate() } else { credentials(relay) }});
        let contents = result.to_string();
        let length = u32::try_from(1 + contents.len()).unwrap_or(u32::MAX);
        let mut response = length.to_be_bytes().to_vec();
        response.push(6);
        response.extend_from_slice(contents.as_bytes());
        stream.write_all(&response)?;
    }
}

fn credentials(relay: &str) -> Value {
    json!({"relay-credentials": {
        "host": relay, "hybrid_connection": "bench", "access_key": "SharedAccessSignature sr=bench",
        "service_configuration_token": "token", "expires_on": 4_000_000_000_u64, "is_new": false,
    }})
}

fn certificate() -> Value {
    json!({"certificate": {
        "login_name": "ada@contoso.example",
        "certificate": {
            "serial": 0, "key_id": "ada", "principals": ["ada@contoso.example"],
            "valid_after": "2026-01-01T00:00:00Z", "valid_before": "2036-01-01T00:00:00Z",
            "remaining_seconds": 3600, "key_type": "ssh-rsa-cert-v01@openssh.com",
            "public_key_fingerprint": "SHA256:bench", "ca_fingerprint": "SHA256:bench", "file": null,
        },
    }})
}
