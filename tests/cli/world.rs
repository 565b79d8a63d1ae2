//! A home folder, a sandbox, and the programs that run in between. Nothing of the machine's own user is seen or touched.

pub(crate) mod agent_socket;
pub(crate) mod browser;
mod built;
mod chromium;
mod clock;
mod files;
mod filter;
mod forward;
mod http_proxy;
mod own_agent;
mod ports;
mod processes;
mod requests;
mod run;
mod secret_service;
mod sign_in;
mod stored;

use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use sandbox::{MachineKind, Options, Sandbox};
use serde_json::Value;
use tempfile::TempDir;

pub(crate) use self::built::{package, program};
pub(crate) use self::chromium::Chromium;
pub(crate) use self::clock::Clock;
pub(crate) use self::files::{contains, files_below, make_pipe, mode, noise};
pub(crate) use self::forward::Forward;
pub(crate) use self::http_proxy::HttpProxy;
pub(crate) use self::own_agent::OwnAgent;
pub(crate) use self::ports::{RefusingPort, free_address};
pub(crate) use self::processes::{Process, ProcessGroups};
pub(crate) use self::requests::is_token_request;
pub(crate) use self::run::{Invocation, Output, Running};
pub(crate) use self::secret_service::{PASSWORD, SecretService};
pub(crate) use self::stored::is_unfinished;

/// A user who may log in to every machine.
pub(crate) const ADA: &str = "ada@contoso.example";
/// Another user.
pub(crate) const GRACE: &str = "Grace.Hopper@contoso.example";
/// The service principal `deploy`.
pub(crate) const DEPLOY: &str = "a9911ca7-0000-4000-8000-000000000301";
/// Its secret.
pub(crate) const DEPLOY_SECRET: &str = "sandbox-secret~000000000301";
/// The tenant of all three.
pub(crate) const CONTOSO: &str = "c0a70500-0000-4000-8000-000000000001";

/// How long a test waits for an event before it fails: everything takes long on a busy machine.
pub(crate) const LIMIT: Duration = Duration::from_secs(300);

/// Where secrets are kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Keyring {
    Auto,
    File,
}

/// What one test has: a home, a sandbox, and the programs that it starts.
pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    pub(crate) secret_service: Option<SecretService>,
    keyring: Keyring,
    groups: ProcessGroups,
    folder: TempDir,
}

/// How long a program that waits for nothing may take on a busy machine, in seconds.
pub(crate) const PROMPT: f64 = 60.0;

impl World {
    /// Returns a world with the file keyring.
    pub(crate) fn new() -> Self {
        Self::with(options())
    }

    /// Returns a world with the file keyring and another sandbox.
    pub(crate) fn with(options: Options) -> Self {
        Self::in_folder("es", options)
    }

    /// Returns a world in a folder whose name begins so.
    pub(crate) fn in_folder(prefix: &str, options: Options) -> Self {
        // The path of a socket has 108 bytes at most.
        let folder = tempfile::Builder::new()
            .prefix(prefix)
            .tempdir_in("/tmp")
            .unwrap();
        for name in ["home", "run"] {
            fs::DirBuilder::new()
                .mode(0o700)
                .create(folder.path().join(name))
                .unwrap();
        }
        Self {
            sandbox: Sandbox::start(options).unwrap(),
            secret_service: None,
            keyring: Keyring::File,
            groups: ProcessGroups::default(),
            folder,
        }
    }

    /// Returns a world with GNOME Keyring, unlocked, which `auto` is to find.
    pub(crate) fn with_gnome_keyring(options: Options) -> Self {
        let mut world = Self::with(options);
        world.keyring = Keyring::Auto;
        world.secret_service = Some(SecretService::start(&world));
        world
    }

    /// Returns a world in which `auto` finds no Secret Service.
    pub(crate) fn without_keyring(options: Options) -> Self {
        let mut world = Self::with(options);
        world.keyring = Keyring::Auto;
        world
    }

    /// Returns the folder of everything.
    pub(crate) fn root(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.root().join("home")
    }

    pub(crate) fn runtime(&self) -> PathBuf {
        self.root().join("run")
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.runtime().join("entra-ssh").join("agent.sock")
    }

    /// Returns the link to the agent's socket that managed hosts name.
    pub(crate) fn agent_link(&self) -> PathBuf {
        self.home()
            .join(".ssh")
            .join("entra-ssh")
            .join("agent.sock")
    }

    pub(crate) fn ssh_config(&self) -> PathBuf {
        self.home().join(".ssh").join("config")
    }

    pub(crate) fn managed_config(&self) -> PathBuf {
        self.home().join(".ssh").join("entra-ssh").join("config")
    }

    /// Makes `~/.ssh`.
    pub(crate) fn make_ssh_folder(&self) -> PathBuf {
        let folder = self.home().join(".ssh");
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder)
            .unwrap();
        folder
    }

    /// Returns the resource ID of a machine.
    pub(crate) fn machine(&self, name: &str) -> String {
        let machines = &self.sandbox.options().machines;
        let found = machines.iter().find(|machine| machine.name == name);
        found.unwrap().resource_id()
    }

    /// Returns the port of a machine's SSH server.
    pub(crate) fn port(&self, machine: &str) -> String {
        let address = self.sandbox.machine_address(machine).unwrap();
        address.port().to_string()
    }

    /// Returns any program, in this home.
    pub(crate) fn program(&self, program: impl AsRef<std::ffi::OsStr>) -> Invocation {
        let mut command = Command::new(program);
        command
            .env_clear()
            .current_dir(self.home())
            .env("HOME", self.home())
            .env("LANG", "C")
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("TZ", "UTC")
            .env("USER", "somebody")
            .env("XDG_RUNTIME_DIR", self.runtime());
        if let Some(service) = &self.secret_service {
            command.env("DBUS_SESSION_BUS_ADDRESS", service.address());
        }
        Invocation::new(command, self.groups.clone())
    }

    /// Returns `entra-ssh` with these arguments.
    pub(crate) fn command(&self, arguments: &[&str]) -> Invocation {
        let invocation = self
            .program(program())
            .args(arguments)
            .env("ENTRA_SSH_CLOUD", self.sandbox.cloud_file());
        match self.keyring {
            Keyring::Auto => invocation,
            Keyring::File => invocation.env("ENTRA_SSH_KEYRING", "file"),
        }
    }

    /// Runs `entra-ssh`.
    pub(crate) fn entra_ssh(&self, arguments: &[&str]) -> Output {
        self.command(arguments).run()
    }

    /// Returns `entra-ssh` with these arguments, connecting to run a command: without any config, and with a host key that is not
    /// known yet.
    pub(crate) fn connect(&self, arguments: &[&str], command: &str) -> Invocation {
        self.command(arguments)
            .args(["--", "-o", "StrictHostKeyChecking=accept-new", command])
    }

    /// Runs `entra-ssh -o json`, which must succeed, and returns what it prints.
    #[track_caller]
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let output = self.command(arguments).args(["-o", "json"]).run();
        output.succeeded();
        serde_json::from_str(&output.stdout).unwrap()
    }

    /// Returns what `entra-ssh status -o json` prints, whether anybody is signed in or not.
    #[track_caller]
    pub(crate) fn status(&self) -> Value {
        self.entra_ssh(&["status", "-o", "json"]).json()
    }

    /// Runs a command on a host with plain `ssh`.
    #[track_caller]
    pub(crate) fn ssh(&self, host: &str, command: &str) -> Output {
        self.ssh_command(&[host, command]).run()
    }

    /// Returns plain `ssh` with the config of this home, and without any variable of ours. (`ssh` itself takes the home
    /// from the password database.)
    pub(crate) fn ssh_command(&self, arguments: &[&str]) -> Invocation {
        self.program("ssh")
            .args(["-o", "StrictHostKeyChecking=accept-new", "-F"])
            .arg(self.ssh_config())
            .args(arguments)
    }

    /// Returns plain `scp`, as [`World::ssh_command`].
    pub(crate) fn scp(&self, arguments: &[&str]) -> Invocation {
        self.program("scp")
            .args(["-q", "-o", "StrictHostKeyChecking=accept-new", "-F"])
            .arg(self.ssh_config())
            .args(arguments)
    }

    /// Returns `ssh-add`, asking our agent.
    pub(crate) fn ssh_add(&self, argument: &str) -> Output {
        self.program("ssh-add")
            .env("SSH_AUTH_SOCK", self.socket())
            .arg(argument)
            .run()
    }

    /// Adds machines to the ssh config.
    #[track_caller]
    pub(crate) fn add(&self, machines: &[&str]) -> Output {
        let output = self.command(&["config", "add"]).args(machines).run();
        output.succeeded();
        output
    }

    /// Stops the agent, and waits until its process is gone.
    pub(crate) fn stop_agent(&self) {
        self.entra_ssh(&["agent", "stop"]).succeeded();
        wait_for("the agent to end", || self.agents().is_empty());
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if self.agents().is_empty() {
            return;
        }
        self.command(&["agent", "stop"]).try_run();
        // Those that lost a race for the socket would take a while to leave.
        for agent in self.agents() {
            agent.kill();
        }
    }
}

/// Returns a sandbox that keeps nobody waiting.
pub(crate) fn options() -> Options {
    Options {
        agent_delay: Duration::from_millis(300),
        device_code_interval: Duration::ZERO,
        ..Options::default()
    }
}

/// Returns such a sandbox with only these machines.
pub(crate) fn options_with(machines: &[&str]) -> Options {
    let mut options = options();
    options
        .machines
        .retain(|machine| machines.contains(&machine.name.as_str()));
    options
}

/// Returns such a sandbox, in which each machine is a real `sshd`.
pub(crate) fn options_with_sshd(machines: &[&str]) -> Options {
    Options {
        machine_kind: MachineKind::Sshd,
        ..options_with(machines)
    }
}

/// Waits until something holds.
#[track_caller]
pub(crate) fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(10));
    }
}
