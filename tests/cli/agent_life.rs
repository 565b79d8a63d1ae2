//! The agent under systemd, and its replacement by an upgrade.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use crate::world::agent_socket::{REQUEST_IDENTITIES, ask, connect};
use crate::world::{Process, World, contains, options_with, wait_for};

#[test]
fn systemd_accepts_the_units() {
    let world = World::with(options_with(&[]));
    let written = world.json(&["agent", "install", "--idle", "600"]);
    let units: Vec<&str> = written["units"]
        .as_array()
        .unwrap()
        .iter()
        .map(|unit| unit.as_str().unwrap())
        .collect();
    assert_eq!(units.len(), 2);
    let folder = world.home().join(".config/systemd/user");
    assert!(units[0].starts_with(folder.to_str().unwrap()), "{units:?}");
    let verified = world
        .program("systemd-analyze")
        .args(["--user", "--man=no", "verify"])
        .args(&units)
        .run();
    verified.succeeded();
    let complaints: Vec<&str> = verified
        .stderr
        .lines()
        .filter(|line| line.contains("entra-ssh-agent"))
        .collect();
    assert!(complaints.is_empty(), "{complaints:?}");
    let service = fs::read_to_string(units[1]).unwrap();
    assert!(service.contains("agent run --idle 600"), "{service}");
}

#[test]
fn sockets_that_systemd_listens_on_are_taken_over_and_left() {
    let world = World::signed_in(options_with(&["web01"]));
    let ask_socket = world.socket().with_file_name("agent.sock.ask");
    fs::create_dir_all(world.socket().parent().unwrap()).unwrap();
    let folder = fs::Permissions::from_mode(0o700);
    fs::set_permissions(world.socket().parent().unwrap(), folder).unwrap();
    let running = world
        .program("systemd-socket-activate")
        .arg("-l")
        .arg(world.socket())
        .arg("-l")
        .arg(&ask_socket)
        .args(["-E", "HOME", "-E", "XDG_RUNTIME_DIR"])
        .arg(crate::world::program())
        .args(["agent", "run", "--idle", "2"])
        .start();
    wait_for("the sockets", || {
        world.socket().exists() && ask_socket.exists()
    });
    let waits = |agent: &Process| contains(&agent.command_line, b"systemd-socket-activate");
    assert!(world.agents().iter().all(waits), "nobody has knocked yet");
    world.json(&["rotate"]);
    assert_eq!(ask(&mut connect(&world), &[REQUEST_IDENTITIES])[4], 1);
    let agents = world.agents();
    assert_eq!(agents.len(), 1);
    // It ends when it is idle, and leaves the sockets to whoever opened them.
    let output = running.finish();
    output.succeeded();
    assert!(world.socket().exists() && ask_socket.exists());
}

/// Puts a copy of the program into the world.
fn install(world: &World) -> PathBuf {
    let installed = world.home().join("entra-ssh");
    // As a package manager does: written beside, then put in its place.
    let new = world.home().join("entra-ssh.new");
    fs::copy(crate::world::program(), &new).unwrap();
    fs::rename(&new, &installed).unwrap();
    installed
}

#[test]
fn an_upgraded_program_takes_over_and_connections_that_are_there_go_on() {
    let world = World::signed_in(options_with(&["web01"]));
    let program = install(&world);
    let run = |arguments: &[&str]| {
        let output = world
            .program(&program)
            .args(arguments)
            .env("ENTRA_SSH_CLOUD", world.sandbox.cloud_file())
            .env("ENTRA_SSH_KEYRING", "file")
            .run();
        output.succeeded();
        output
    };
    run(&["rotate"]);
    let old = world.agents().remove(0);
    let mut session = connect(&world);
    assert_eq!(ask(&mut session, &[REQUEST_IDENTITIES])[4], 1);
    install(&world);
    // The first one that asks is still answered by the old one, which makes way after that.
    run(&["rotate"]);
    wait_for("the sockets to be free", || {
        run(&["agent", "start"]);
        world.agents().iter().any(|agent| agent.id != old.id)
    });
    assert_eq!(ask(&mut session, &[REQUEST_IDENTITIES])[4], 1, "it goes on");
    let status = run(&["agent", "status", "-o", "json"]).json();
    assert_ne!(status["pid"], old.id);
    drop(session);
    wait_for("the old one to leave", || world.agents().len() == 1);
    assert!(contains(&world.agents()[0].command_line, b"agent\0run\0"));
    run(&["agent", "stop"]);
}
