//! One long session that writes every kind of file and prints every kind of JSON.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use sandbox::{Fault, Options, Workload};
use serde_json::Value;

use super::hosts::HOSTS;
use super::{Files, Version, entries, spoken};
use crate::world::{
    ADA, CONTOSO, DEPLOY, DEPLOY_SECRET, Forward, GRACE, Invocation, Output, OwnAgent, World,
    files_below, is_unfinished, mode, options,
};

/// The application that pipelines, pods and machines become.
pub(super) const PIPELINE: &str = "a9911ca7-0000-4000-8000-000000000303";
/// The identity of a machine.
const MACHINE: &str = "a9911ca7-0000-4000-8000-000000000304";
/// Where profiles are, below the home folder.
pub(super) const PROFILES: &str = ".config/entra-ssh/profiles";
/// Where entries of the keyring are pinned.
pub(super) const ENTRIES: &str = "keyring";
/// The tenant that Ada is a guest of.
pub(super) const FABRIKAM: &str = "fab21ca0-0000-4000-8000-000000000002";

/// Returns a world whose certificates are still good when somebody reads the files.
pub(super) fn world() -> World {
    World::with(Options {
        certificate_lifetime: Duration::from_secs(50 * 365 * 86_400),
        certifies_ed25519: true,
        ..options()
    })
}

/// What is recorded of a version.
struct Recorder<'a> {
    version: &'a Version<'a>,
    files: Files,
}

/// Runs the session with a version, and returns what it wrote and printed.
pub(super) fn record(version: &Version<'_>) -> Files {
    let mut recorder = Recorder {
        version,
        files: Files::new(),
    };
    recorder.without_a_sign_in();
    recorder.sign_in();
    recorder.certificates();
    recorder.hosts();
    recorder.agent();
    recorder.errors();
    recorder.spoken();
    recorder.profiles_and_entries();
    recorder.tree();
    recorder.sign_out();
    recorder.files
}

impl Recorder<'_> {
    fn command(&self, arguments: &[&str]) -> Invocation {
        self.version.command(arguments)
    }

    /// Keeps what a command prints with `-o json`, which may fail.
    fn print(&mut self, name: &str, invocation: Invocation) -> Output {
        let output = invocation.args(["-o", "json"]).run();
        self.keep_printed(name, &output);
        output
    }

    fn keep_printed(&mut self, name: &str, output: &Output) {
        if !output.stdout.is_empty() {
            let value = serde_json::from_str(&output.stdout).unwrap();
            self.keep_json(&format!("json/{name}.json"), &value);
        }
        if output.status != 0 {
            let last = output.stderr.lines().last().unwrap();
            let value = serde_json::from_str(last).unwrap_or_else(|_| panic!("{output}"));
            self.keep_json(&format!("json/{name}-error.json"), &value);
        }
    }

    fn keep_json(&mut self, name: &str, value: &Value) {
        self.keep(name, &self.version.json(value));
    }

    fn keep(&mut self, name: &str, text: &str) {
        let text = self.version.regular(text);
        assert!(self.files.insert(name.to_owned(), text).is_none(), "{name}");
    }

    fn without_a_sign_in(&mut self) {
        for (name, arguments) in [
            ("status-signed-out", &["status"][..]),
            ("why-nothing", &["why"]),
            ("config-list-empty", &["config", "list"]),
            ("agent-status-stopped", &["agent", "status"]),
            ("logout-nothing", &["logout", "--all"]),
        ] {
            self.print(name, self.command(arguments));
        }
    }

    /// Signs in by every method, each as a profile of its own.
    fn sign_in(&mut self) {
        let version = self.version;
        let sandbox = &version.world.sandbox;
        let login = version.login(ADA, &["-o", "json"]);
        self.keep_printed("login", &login);
        version.login(ADA, &["--profile", "guest"]);
        let keys = ["--key-size", "2048", "--forwardable", "yes"];
        version.login(GRACE, &[&["--profile", "keys"][..], &keys].concat());
        let ed25519 = ["--profile", "ed25519", "--key-type", "ed25519"];
        version.login("radia@contoso.example", &ed25519);
        let certificate = sandbox.client_certificate(DEPLOY).unwrap();
        let token_file = sandbox.write_federated_token().unwrap();
        let of = |profile: &str, client: &str, arguments: &[&str]| {
            self.command(&["--profile", profile, "login", "--tenant", CONTOSO])
                .args(["--client-id", client])
                .args(arguments)
        };
        let secret = of(
            "secret",
            DEPLOY,
            &["--service-principal", "--client-secret-file", "-"],
        );
        let secret = secret.stdin(DEPLOY_SECRET);
        let others = [
            of(
                "certificate",
                DEPLOY,
                &["--service-principal", "--client-certificate"],
            )
            .arg(certificate.pem),
            of("token-file", PIPELINE, &["--federated-token-file"]).arg(token_file),
            within(
                version,
                Workload::GitHubActions,
                of("github", PIPELINE, &["--github-actions"]),
            ),
            within(
                version,
                Workload::AzurePipelines,
                of("pipelines", PIPELINE, &["--azure-pipelines"]),
            ),
            within(
                version,
                Workload::AppService,
                of("managed", PIPELINE, &["--managed-identity"]),
            ),
            within(
                version,
                Workload::AppService,
                of(
                    "user-assigned",
                    PIPELINE,
                    &["--managed-identity", "--identity-client-id", MACHINE],
                ),
            ),
        ];
        self.print("login-service-principal", secret).succeeded();
        for login in others {
            login.run().succeeded();
        }
    }

    fn certificates(&mut self) {
        let world = self.version.world;
        world
            .program("ssh-keygen")
            .args(["-q", "-t", "rsa", "-b", "3072", "-N", "", "-f", "own"])
            .run()
            .succeeded();
        self.print("rotate-new", self.command(&["rotate"]));
        for (name, arguments) in [
            ("cert", &["cert"][..]),
            ("cert-of-own-key", &["cert", "--public-key-file", "own.pub"]),
            ("cert-show", &["cert", "show"]),
            ("cert-show-file", &["cert", "show", "own-cert.pub"]),
            ("rotate", &["rotate"]),
            ("rotate-force", &["rotate", "--force"]),
        ] {
            self.print(name, self.command(arguments)).succeeded();
        }
        for profile in ["secret", "keys", "ed25519"] {
            self.version.run(&["--profile", profile, "cert"]);
        }
        self.version
            .run(&["--profile", "guest", "rotate", "--tenant", FABRIKAM]);
    }

    fn hosts(&mut self) {
        let version = self.version;
        let own = OwnAgent::start(version.world);
        for arguments in HOSTS {
            let name = format!("config-add-{}", arguments.last().unwrap());
            let add = self.command(&["config", "add"]).args(arguments.iter());
            let add = add.env("SSH_AUTH_SOCK", &own.socket);
            self.print(&name.replace('/', "-"), add).succeeded();
        }
        let list = version.command(&["config", "list"]);
        let listed = self.print("config-list", list).json();
        for row in listed.as_array().unwrap() {
            let host = row["host"].as_str().unwrap();
            let show = version.command(&["config", "show", host]);
            self.print(&format!("config-show-{host}"), show);
        }
        let managed = fs::read_to_string(version.world.managed_config()).unwrap();
        self.keep("home/.ssh/entra-ssh/config", &managed);
        let users = fs::read_to_string(version.world.ssh_config()).unwrap();
        self.keep("home/.ssh/config", &users);
        let port = version
            .world
            .sandbox
            .machine_address("vm01")
            .unwrap()
            .port();
        for host in ["web01", "file"] {
            version.world.ssh(host, "true").succeeded();
        }
        let vm01 = version
            .world
            .ssh_command(&["-p", &port.to_string(), "vm01", "true"]);
        vm01.run().succeeded();
        let known_hosts = version.world.home().join(".ssh/entra-ssh/known_hosts");
        let known_hosts = fs::read_to_string(known_hosts).unwrap();
        self.keep("known-hosts", &host_names(&known_hosts));
        self.print("config-refresh", self.command(&["config", "refresh"]));
        let forward = Forward::start(version.command(&["forward", "web01"]));
        let row = serde_json::from_str(&forward.running.stdout()).unwrap();
        self.keep_json("json/forward.json", &row);
    }

    fn agent(&mut self) {
        self.print("agent-status", self.command(&["agent", "status"]));
        self.print("agent-install", self.command(&["agent", "install"]));
        self.print("status", self.command(&["status"]));
        self.print("agent-stop", self.command(&["agent", "stop"]));
    }

    fn errors(&mut self) {
        let version = self.version;
        let sandbox = &version.world.sandbox;
        for (name, arguments) in [
            ("usage", &["config", "add", "web01", "--alias", "-"][..]),
            (
                "several-with-one-alias",
                &["config", "add", "a", "b", "--alias", "c"][..],
            ),
            ("ambiguous", &["config", "add", "db01"]),
            ("unknown-machine", &["config", "add", "web99"]),
            ("unknown-host", &["config", "show", "web99"]),
            ("unknown-profile", &["--profile", "nobody", "cert"]),
        ] {
            self.print(name, self.command(arguments));
        }
        for (name, code) in [
            ("refused", 50_057),
            ("sign-in-again", 700_082),
            ("step-up", 50_076),
        ] {
            let refusal = Fault::token(code, "", "What Entra says.");
            sandbox.fault(refusal.times(0));
            let rotate = self.command(&["rotate", "--force"]);
            self.print(name, rotate);
            sandbox.clear_faults();
        }
        let file = version
            .world
            .home()
            .join(".local/state/entra-ssh/last-failure.json");
        let text = fs::read_to_string(file).unwrap();
        self.keep("home/.local/state/entra-ssh/last-failure.json", &text);
        self.print("why", self.command(&["why"]));
    }

    fn spoken(&mut self) {
        for (name, value) in spoken::record(self.version) {
            self.keep_json(&name, &value);
        }
    }

    fn profiles_and_entries(&mut self) {
        let version = self.version;
        let folder = version.world.home().join(PROFILES);
        let mut entries = BTreeMap::new();
        for path in files_below(&folder) {
            let text = fs::read_to_string(&path).unwrap();
            let profile: Value = serde_json::from_str(&text).unwrap();
            let name = path.file_name().unwrap().to_str().unwrap();
            self.keep(&format!("home/{PROFILES}/{name}"), &text);
            entries.extend(entries::of_profile(version, &profile));
        }
        let files = files_below(&version.world.keyring_folder());
        assert_eq!(entries.len(), files.len(), "all are named: {entries:#?}");
        for (name, entry) in entries {
            let name = name.replace("[CLOUD] ", "").replace(' ', "_");
            self.keep_json(&format!("{ENTRIES}/{name}.json"), &entry);
        }
    }

    /// Keeps which files there are, and whose they are; not what a process is writing just now.
    fn tree(&mut self) {
        let home = self.version.world.home();
        let mut lines: Vec<String> = files_below(&home)
            .iter()
            .filter(|path| !path.starts_with(self.version.world.keyring_folder()))
            .filter(|path| !is_unfinished(path))
            .map(|path| format!("{:o} {}\n", mode(path), path.display()))
            .collect();
        lines.sort();
        self.keep("files", &lines.concat());
    }

    fn sign_out(&mut self) {
        self.print(
            "config-remove",
            self.command(&["config", "remove", "web01"]),
        );
        self.print("logout", self.command(&["logout"]));
        self.print("logout-all", self.command(&["logout", "--all"]));
    }
}

/// Adds the variables of a place where programs run.
pub(super) fn within(version: &Version<'_>, workload: Workload, command: Invocation) -> Invocation {
    let variables = version.world.sandbox.environment(workload);
    variables
        .into_iter()
        .fold(command, |command, (name, value)| command.env(name, value))
}

/// Returns the names of a `known_hosts` file, without the keys.
pub(super) fn host_names(known_hosts: &str) -> String {
    let mut names: Vec<&str> = known_hosts
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    names.sort_unstable();
    names.dedup();
    names.join("\n") + "\n"
}
