//! Keys in files and in the user's own agent.

use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use sandbox::Options;

use crate::world::{ADA, CONTOSO, Running, World, mode, options_with, wait_for};

fn signed_in(options: Options) -> World {
    let world = World::with(options);
    world.login(ADA);
    world
}

fn add(world: &World, identity: &str) {
    let added = world.json(&["config", "add", "web01", "--identity", identity]);
    assert_eq!(added[0]["identity"], identity);
}

fn key_files(world: &World) -> Vec<String> {
    let folder = world.home().join(".ssh/entra-ssh/keys");
    let mut names: Vec<String> = fs::read_dir(&folder)
        .map(|entries| {
            entries
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect()
        })
        .unwrap_or_default();
    names.sort();
    if !names.is_empty() {
        assert_eq!(mode(&folder), 0o700);
    }
    for name in &names {
        assert_eq!(mode(&folder.join(name)), 0o600, "{name}");
    }
    names
}

#[test]
fn keys_in_files_are_renewed_before_ssh_reads_them() {
    let world = signed_in(options_with(&["web01"]));
    add(&world, "file");
    let login = |world: &World| {
        world
            .ssh(&["-o", "IdentityAgent=none", "web01", "true"])
            .run()
            .succeeded();
    };
    login(&world);
    let name = format!("default-{CONTOSO}");
    assert_eq!(
        key_files(&world),
        [name.clone(), format!("{name}-cert.pub")]
    );
    let certificate = world
        .home()
        .join(format!(".ssh/entra-ssh/keys/{name}-cert.pub"));
    // No agent is running any more, and the certificate is over.
    world.let_the_certificate_expire();
    let expired = fs::read(&certificate).unwrap();
    login(&world);
    assert_ne!(fs::read(&certificate).unwrap(), expired);
    // For other hosts nothing is run.
    let requests = world.certificate_requests();
    world.ssh(&["-G", "example.com"]).run().succeeded();
    assert_eq!(world.certificate_requests(), requests);
    world.entra_ssh(&["logout"]).succeeded();
    assert!(key_files(&world).is_empty());
}

/// OpenSSH's own agent.
pub(crate) struct OwnAgent {
    pub(crate) socket: PathBuf,
    _running: Running,
}

impl OwnAgent {
    pub(crate) fn start(world: &World) -> Self {
        let socket = world.runtime().join("own.sock");
        let running = world
            .program("ssh-agent")
            .args(["-D", "-a"])
            .arg(&socket)
            .start();
        wait_for("ssh-agent", || socket.exists());
        Self {
            socket,
            _running: running,
        }
    }

    pub(crate) fn listed(&self, world: &World) -> Vec<String> {
        let output = world
            .program("ssh-add")
            .env("SSH_AUTH_SOCK", &self.socket)
            .arg("-l")
            .run();
        output.stdout.lines().map(str::to_owned).collect()
    }
}

#[test]
fn the_users_own_agent_gets_the_certificate_for_as_long_as_it_lives_and_keeps_its_own_keys() {
    let world = signed_in(Options {
        // Long enough for all that comes before its end.
        certificate_lifetime: Duration::from_secs(60),
        ..options_with(&["web01"])
    });
    let own = OwnAgent::start(&world);
    // More keys than a server lets anyone try.
    for number in 0..8 {
        let name = format!("own{number}");
        world
            .program("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-C", &name, "-f", &name])
            .run()
            .succeeded();
        world
            .program("ssh-add")
            .env("SSH_AUTH_SOCK", &own.socket)
            .args(["-q", &name])
            .run()
            .succeeded();
    }
    add(&world, "system-agent");
    let login = || {
        world
            .ssh(&["web01", "true"])
            .env("SSH_AUTH_SOCK", &own.socket)
            .run()
            .succeeded();
    };
    let ours = || {
        let listed = own.listed(&world);
        listed
            .into_iter()
            .filter(|line| line.contains(" entra-ssh "))
            .collect::<Vec<_>>()
    };
    login();
    let name = format!("default-{CONTOSO}");
    assert_eq!(
        key_files(&world),
        [format!("{name}-cert.pub"), format!("{name}.pub")]
    );
    assert_eq!(ours().len(), 2, "the certificate, and the bare key");
    assert!(ours()[0].contains(ADA), "{:?}", ours());
    assert_eq!(own.listed(&world).len(), 10);
    login();
    assert_eq!(ours().len(), 2, "they are added once");
    wait_for("its end", || {
        thread::sleep(Duration::from_secs(1));
        ours().is_empty()
    });
    login();
    assert_eq!(ours().len(), 2);
    world
        .command(&["logout"])
        .env("SSH_AUTH_SOCK", &own.socket)
        .run()
        .succeeded();
    assert_eq!(own.listed(&world).len(), 8, "the user's own keys stay");
    assert!(key_files(&world).is_empty());
}

#[test]
fn a_connection_without_any_config_may_be_made_with_keys_in_files_or_in_the_users_own_agent() {
    let world = signed_in(options_with(&["web01"]));
    let own = OwnAgent::start(&world);
    for identity in ["file", "system-agent"] {
        let ssh = world
            .command(&["ssh", "web01", "--identity", identity, "--"])
            .args(["-o", "StrictHostKeyChecking=accept-new", "echo in"])
            .env("SSH_AUTH_SOCK", &own.socket)
            .run();
        ssh.succeeded();
        assert_eq!(ssh.stdout, "in\n", "{identity}");
    }
}
