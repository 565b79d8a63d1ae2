//! The main job from end to end, on the sandbox: sign in, add a machine, and log in to it with plain `ssh`.
//!
//! ```sh
//! cargo run --release --example demo
//! ```
//!
//! It happens in a home folder of its own, which is removed afterwards. If this machine has a keyring, the sign-in to the
//! stand-in is kept there, as yours to Entra would be, and taken out again at the end.

#![expect(
    clippy::disallowed_methods,
    reason = "a demonstration starts programs, as a person would"
)]

use std::env;
use std::error::Error;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use examples::say;
use sandbox::{Options, Sandbox};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Who signs in.
const PERSON: &str = "ada@contoso.example";
/// How long one step may take.
const STEP_LIMIT: Duration = Duration::from_secs(90);

fn main() -> ExitCode {
    // The demonstration brings the command along: under its name, this program is the command.
    let name = env::args_os().next().map(PathBuf::from);
    if name.as_deref().and_then(Path::file_name) == Some(OsStr::new("entra-ssh")) {
        return entra_ssh::internal::run();
    }
    match demonstrate() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("the demonstration failed: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn demonstrate() -> Outcome<()> {
    let sandbox = Sandbox::start(Options::default())?;
    let home = Home::make(&sandbox)?;
    say(
        "# A stand-in for Microsoft's cloud runs on this machine. Everything else is real: entra-ssh, ssh, the agent.",
    );
    say(&format!(
        "# The home folder of this demonstration is {}.\n",
        home.path().display()
    ));

    home.sign_in(&sandbox)?;
    home.type_in("entra-ssh", &["config", "add", "web01"])?;
    let config = home.path().join(".ssh/config").display().to_string();
    say(
        "# Now plain ssh knows the machine. (-F: this home is not yours. accept-new: no prompts here.)",
    );
    let accept = "StrictHostKeyChecking=accept-new";
    let command = "echo \"hello from a machine without an address, $USER\"";
    home.type_in("ssh", &["-F", &config, "-o", accept, "web01", command])?;
    say("# The second time everything is cached: no request to Entra or Azure Resource Manager.");
    sandbox.clear_requests();
    let begun = Instant::now();
    home.type_in("ssh", &["-F", &config, "web01", "true"])?;
    let asked = sandbox
        .requests()
        .iter()
        .filter(|row| row.service != sandbox::Service::Relay)
        .count();
    say(&format!(
        "# {} ms, {asked} requests\n",
        begun.elapsed().as_millis()
    ));
    if asked != 0 {
        return Err(format!("a warm connection made {asked} requests").into());
    }
    home.type_in("entra-ssh", &["status"])?;
    home.type_in("entra-ssh", &["logout"])?;
    Ok(())
}

/// A home folder with the command in it.
struct Home {
    folder: tempfile::TempDir,
    cloud_file: PathBuf,
    keyring: &'static str,
}

impl Home {
    fn make(sandbox: &Sandbox) -> Outcome<Self> {
        let folder = tempfile::Builder::new()
            .prefix("entra-ssh-demo-")
            .tempdir()?;
        for name in ["bin", "run"] {
            fs::create_dir(folder.path().join(name))?;
        }
        let (program, place) = (env::current_exe()?, folder.path().join("bin/entra-ssh"));
        if fs::hard_link(&program, &place).is_err() {
            fs::copy(&program, &place)?;
        }
        let mut home = Self {
            folder,
            cloud_file: sandbox.cloud_file(),
            keyring: "auto",
        };
        let status = home
            .command("entra-ssh", &["status", "-o", "json"])
            .output()?;
        let status: serde_json::Value = serde_json::from_slice(&status.stdout)?;
        if status
            .pointer("/keyring/backend")
            .is_none_or(serde_json::Value::is_null)
        {
            home.keyring = "file";
        }
        Ok(home)
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let program = match program {
            "entra-ssh" => self.path().join("bin/entra-ssh"),
            other => other.into(),
        };
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env("HOME", self.path())
            .env("XDG_RUNTIME_DIR", self.path().join("run"))
            .env("ENTRA_SSH_CLOUD", &self.cloud_file)
            .env("ENTRA_SSH_KEYRING", self.keyring);
        for name in [
            "XDG_CONFIG_HOME",
            "XDG_DATA_HOME",
            "XDG_STATE_HOME",
            "ENTRA_SSH_PROFILE",
        ] {
            command.env_remove(name);
        }
        command
    }

    /// Signs in with a device code, which is entered here in the person's place.
    fn sign_in(&self, sandbox: &Sandbox) -> Outcome<()> {
        if self.keyring == "file" {
            say(
                "# This machine has no keyring. Keep secrets in private files, which entra-ssh does only on request:",
            );
            say("$ export ENTRA_SSH_KEYRING=file");
        }
        say("$ export ENTRA_SSH_CLOUD=sandbox.toml");
        say("$ entra-ssh login --device-code");
        let mut login = self
            .command("entra-ssh", &["login", "--device-code"])
            .spawn()?;
        let deadline = Instant::now() + STEP_LIMIT;
        while login.try_wait()?.is_none() {
            if let Some(code) = sandbox.pending_user_codes().first() {
                say(&format!("# ({PERSON} enters {code} in a browser)"));
                sandbox.approve(code, PERSON)?;
            }
            if Instant::now() > deadline {
                login.kill()?;
                return Err("the sign-in did not end".into());
            }
            thread::sleep(Duration::from_millis(100));
        }
        finish("entra-ssh login", login.wait()?)
    }

    /// Shows a command as a person would type it, and runs it.
    fn type_in(&self, program: &str, arguments: &[&str]) -> Outcome<()> {
        let typed: Vec<String> = arguments.iter().map(|word| quote(word)).collect();
        say(&format!("$ {program} {}", typed.join(" ")));
        let child = self
            .command(program, arguments)
            .stdin(Stdio::null())
            .spawn()?;
        let status = wait(child)?;
        say("");
        finish(program, status)
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        for arguments in [["logout", "--all"], ["agent", "stop"]] {
            // Where a step failed, nothing is to stay in the keyring; else there is nothing to do.
            let mut command = self.command("entra-ssh", &arguments);
            let _done = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
        }
    }
}

fn wait(mut child: Child) -> Outcome<ExitStatus> {
    let deadline = Instant::now() + STEP_LIMIT;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if Instant::now() > deadline {
            child.kill()?;
            return Err("a step did not end".into());
        }
        thread::sleep(Duration::from_millis(5));
    }
}

fn finish(step: &str, status: ExitStatus) -> Outcome<()> {
    if status.success() {
        return Ok(());
    }
    Err(format!("`{step}` ended with {status}").into())
}

fn quote(word: &str) -> String {
    if word
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "-_./=@".contains(c))
    {
        word.to_owned()
    } else {
        format!("'{word}'")
    }
}
