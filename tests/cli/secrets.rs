//! No secret gets out: not into the most talkative log, not into a list of processes, a child's environment or a core file.

use std::fs;

use crate::world::{
    ADA, DEPLOY_SECRET, World, contains, files_below, mode, options_with, wait_for,
};

/// Returns the secrets that the file keyring holds, each as its very bytes.
fn secrets(world: &World) -> Vec<Vec<u8>> {
    let entries = world.keyring_files();
    assert!(!entries.is_empty());
    entries
        .iter()
        .map(|(_, path)| {
            let bytes = fs::read(path).unwrap();
            // Version and kind, then a string: its length in four bytes.
            let length = u32::from_be_bytes(bytes[2..6].try_into().unwrap());
            let end = 6 + usize::try_from(length).unwrap();
            // The end of a private key is as secret as all of it, and no header that all keys have.
            bytes[end.saturating_sub(64).max(6)..end].to_vec()
        })
        .collect()
}

#[track_caller]
fn assert_none_in(place: &str, text: &[u8], secrets: &[Vec<u8>]) {
    for secret in secrets {
        assert!(!contains(text, secret), "{place}");
    }
}

#[test]
fn the_most_talkative_log_tells_steps_and_no_secret() {
    let world = World::with(options_with(&["web01"]));
    let log = world.home().join("log");
    let log_file = log.to_str().unwrap();
    let mut login = world
        .command(&["-vvv", "--log-file", log_file, "login", "--device-code"])
        .start();
    login.meanwhile(|| {
        for code in world.sandbox.pending_user_codes() {
            world.sandbox.approve(&code, ADA).unwrap();
        }
    });
    let mut said = login.finish().stderr;
    let pipeline = world
        .command(&["-vvv", "--log-file", log_file, "--profile", "deploy"])
        .args(["login", "--service-principal", "--client-id"])
        .args([crate::world::DEPLOY, "--tenant", crate::world::CONTOSO])
        .env("ENTRA_SSH_CLIENT_SECRET", DEPLOY_SECRET)
        .run();
    pipeline.succeeded();
    said.push_str(&pipeline.stderr);
    for arguments in [
        &["config", "add", "web01"][..],
        &["--profile", "deploy", "cert"],
        &[
            "ssh",
            "web01",
            "--",
            "-o",
            "StrictHostKeyChecking=accept-new",
            "true",
        ],
    ] {
        let output = world
            .command(&["-vvv", "--log-file", log_file])
            .args(arguments)
            .run();
        output.succeeded();
        said.push_str(&output.stderr);
    }
    let machine = world.machine("web01");
    let proxy = world
        .command(&["-vvv", "--log-file", log_file, "proxy", &machine])
        .run();
    proxy.succeeded();
    said.push_str(&proxy.stderr);

    let logged = fs::read(&log).unwrap();
    assert_eq!(mode(&log), 0o600);
    for step in ["a reply came", "asks the agent", "connects to the relay"] {
        assert!(contains(&logged, step.as_bytes()), "{step}");
        assert!(said.contains(step), "{step}");
    }
    let mut secrets = secrets(&world);
    secrets.push(DEPLOY_SECRET.as_bytes().to_vec());
    secrets.push(b"SharedAccessSignature".to_vec());
    secrets.push(b"eyJ".to_vec());
    assert!(secrets.len() > 5, "a person, an application, their keys");
    assert_none_in("the log file", &logged, &secrets);
    assert_none_in("standard error", said.as_bytes(), &secrets);
}

#[test]
fn without_being_asked_nothing_is_told() {
    let world = World::with(options_with(&[]));
    world.login_deploy();
    let output = world.entra_ssh(&["cert"]);
    output.succeeded();
    assert_eq!(output.stderr, "");
    let output = world.entra_ssh(&["-v", "status"]);
    output.succeeded();
}

#[test]
fn core_files_are_off_where_their_limit_cannot_be_raised_again() {
    let world = World::with(options_with(&[]));
    let command = format!(
        "ulimit -c 8 && exec {} agent run --agent-socket {}",
        crate::world::program().display(),
        world.socket().display()
    );
    let mut shell = world.program("sh").args(["-c", &command]).start();
    shell.wait_until("the agent", |_| world.socket().exists().then_some(()));
    let limits = fs::read_to_string(format!("/proc/{}/limits", shell.id())).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core"));
    let fields: Vec<&str> = core.unwrap().split_whitespace().collect();
    assert_eq!(fields[4..6], ["0", "4096"], "{limits}");
}

#[test]
fn no_process_shows_a_secret_and_none_leaves_a_core_file() {
    let world = World::with(options_with(&["web01"]));
    world.login_deploy();
    world.add(&["web01"]);
    // Core files would be written here, were they allowed: the limit is lifted for all that is started from this shell.
    let command = format!(
        "ulimit -c unlimited && exec {} --profile default cert",
        crate::world::program().display()
    );
    world.stop_agent();
    world
        .program("sh")
        .args(["-c", &command])
        .env("ENTRA_SSH_CLIENT_SECRET", DEPLOY_SECRET)
        .env("AZURE_CLIENT_SECRET", DEPLOY_SECRET)
        .run()
        .succeeded();
    let mut secrets = secrets(&world);
    secrets.push(DEPLOY_SECRET.as_bytes().to_vec());
    let agents = world.agents();
    assert_eq!(agents.len(), 1);
    for process in world.processes() {
        assert_none_in("a command line", &process.command_line, &secrets);
        assert_none_in("an environment", &process.environment, &secrets);
    }
    let limits = fs::read_to_string(format!("/proc/{}/limits", agents[0].id)).unwrap();
    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"));
    assert!(core.unwrap().contains(" 0 "), "{limits}");
    agents[0].crash();
    wait_for("the agent to crash", || world.agents().is_empty());
    for file in files_below(world.root()) {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        assert!(!name.starts_with("core"), "{name}");
        if !file.starts_with(world.keyring_folder()) {
            assert_none_in(&name, &fs::read(&file).unwrap(), &secrets);
        }
    }
    world.ssh("web01", "true").succeeded();
}
