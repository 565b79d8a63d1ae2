//! What ssh's own programs do with the agent, and what it refuses to any client.

mod bound;

use std::fs;
use std::io::{Read as _, Write as _};
use std::time::{Duration, Instant};

use crate::world::agent_socket::{
    FAILURE, SIGN_REQUEST, SIGN_RESPONSE, ask, connect, identities, string,
};
use crate::world::{ADA, Output, PROMPT, World, options_with, wait_for};

const SUCCESS: u8 = 6;
const REMOVE_IDENTITY: u8 = 18;
const REMOVE_ALL_IDENTITIES: u8 = 19;
const LOCK: u8 = 22;
const UNLOCK: u8 = 23;
const EXTENSION: u8 = 27;
const EXTENSION_FAILURE: u8 = 28;
const EXTENSION_RESPONSE: u8 = 29;
const SHA_512: u32 = 4;
const MAX_MESSAGE: usize = 256 * 1024;

/// Counts the keys that `ssh-add -l` shows.
fn listed(world: &World) -> usize {
    let output = world.ssh_add("-l");
    if output.stdout.starts_with("The agent has no identities.") {
        return 0;
    }
    output.succeeded();
    output.stdout.lines().count()
}

/// Writes the listed certificate where ssh's programs look for a key called `listed`.
fn write_listed(world: &World) {
    let listed = world.ssh_add("-L");
    listed.succeeded();
    fs::write(world.home().join("listed.pub"), &listed.stdout).unwrap();
}

/// Runs `ssh-add -x` or `-X`, which ask a program for the passphrase where there is no terminal.
fn with_passphrase(world: &World, argument: &str, passphrase: &str) -> Output {
    let script = world.home().join("askpass");
    fs::write(&script, format!("#!/bin/sh\necho '{passphrase}'\n")).unwrap();
    world
        .program("chmod")
        .arg("700")
        .arg(&script)
        .run()
        .succeeded();
    world
        .program("ssh-add")
        .env("SSH_AUTH_SOCK", world.socket())
        .env("SSH_ASKPASS", &script)
        .env("SSH_ASKPASS_REQUIRE", "force")
        .arg(argument)
        .run()
}

#[test]
fn keys_of_others_are_not_taken_in() {
    let world = World::with_host("web01");
    world
        .program("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f", "other"])
        .run()
        .succeeded();
    let refused = world.ssh_add("other");
    assert_ne!(refused.status, 0, "{refused}");
    assert!(
        refused.stderr.contains("agent refused operation"),
        "{refused}"
    );
    assert_eq!(listed(&world), 1);
}

#[test]
fn what_is_removed_stays_away_until_one_of_our_own_programs_asks() {
    let world = World::with_host("web01");
    let before = world.certificate_requests();
    for arguments in [&["-d", "listed"][..], &["-D"]] {
        write_listed(&world);
        let removed = world
            .program("ssh-add")
            .env("SSH_AUTH_SOCK", world.socket())
            .args(arguments)
            .run();
        removed.succeeded();
        assert_eq!(listed(&world), 0, "{removed}");
        assert_eq!(listed(&world), 0, "and stays away");
        // The ProxyCommand of a managed host is one of our own programs.
        world.ssh("web01", "true").succeeded();
        assert_eq!(listed(&world), 1);
    }
    assert_eq!(world.certificate_requests(), before, "the keyring has it");
    // What is not there cannot be removed.
    world.ssh_add("-D").succeeded();
    assert_ne!(world.ssh_add("-d").status, 0);
}

#[test]
fn a_locked_agent_shows_and_signs_nothing_until_it_is_unlocked() {
    let world = World::with_host("web01");
    let blob = identities(&world).remove(0);
    let sign = [
        &[SIGN_REQUEST][..],
        &string(&blob),
        &string(b"data"),
        &SHA_512.to_be_bytes(),
    ]
    .concat();
    let mut stream = connect(&world);
    assert_eq!(ask(&mut stream, &sign)[0], SIGN_RESPONSE);
    with_passphrase(&world, "-x", "tr0ub4dor").succeeded();
    assert_eq!(listed(&world), 0);
    assert_eq!(ask(&mut stream, &sign), [FAILURE]);
    assert_ne!(world.ssh_add("-D").status, 0);
    assert_ne!(with_passphrase(&world, "-x", "other").status, 0);
    let refused = world
        .ssh_command(&["-o", "BatchMode=yes", "web01", "true"])
        .run();
    assert_eq!(refused.status, 255, "{refused}");
    let expected = format!(
        "error: the agent is locked, and ssh finds no key in it\nhint: unlock it: SSH_AUTH_SOCK={} ssh-add -X; without the \
         passphrase, restart it: entra-ssh agent stop\n",
        world.socket().display()
    );
    assert!(refused.stderr.contains(&expected), "{refused}");
    assert!(world.entra_ssh(&["why"]).stdout.ends_with(&expected));
    let status = world.entra_ssh(&["agent", "status"]);
    assert!(status.stdout.contains(", locked ("), "{status}");
    assert!(status.stderr.starts_with("hint: unlock it: "), "{status}");
    // Renewals go on.
    world.json(&["rotate", "--force"]);
    assert_ne!(with_passphrase(&world, "-X", "wrong").status, 0);
    assert_eq!(listed(&world), 0);
    with_passphrase(&world, "-X", "tr0ub4dor").succeeded();
    assert_eq!(listed(&world), 1);
    world.ssh("web01", "true").succeeded();
    assert_ne!(with_passphrase(&world, "-X", "tr0ub4dor").status, 0);
}

#[test]
fn ssh_keygen_signs_files_with_it() {
    let world = World::with_host("web01");
    write_listed(&world);
    fs::write(world.home().join("letter"), "Dear Grace\n").unwrap();
    world
        .program("ssh-keygen")
        .env("SSH_AUTH_SOCK", world.socket())
        .args(["-Y", "sign", "-n", "file", "-f", "listed.pub", "letter"])
        .run()
        .succeeded();
    let authority = world.sandbox.ssh_authority();
    let line = format!("{ADA} cert-authority {}\n", authority.trim());
    fs::write(world.home().join("signers"), line).unwrap();
    let verify = |letter: &str| {
        world
            .program("ssh-keygen")
            .args(["-Y", "verify", "-n", "file", "-f", "signers", "-I", ADA])
            .args(["-s", "letter.sig"])
            .stdin(letter)
            .run()
    };
    verify("Dear Grace\n").succeeded();
    assert_ne!(verify("Dear Alan\n").status, 0);
}

#[test]
fn extensions_are_listed() {
    let world = World::with_host("web01");
    let query = [&[EXTENSION][..], &string(b"query")].concat();
    let expected = [
        &[EXTENSION_RESPONSE][..],
        &string(b"query"),
        &string(b"query"),
        &string(b"session-bind@openssh.com"),
    ]
    .concat();
    assert_eq!(ask(&mut connect(&world), &query), expected);
    let unknown = [&[EXTENSION][..], &string(b"make-tea")].concat();
    assert_eq!(ask(&mut connect(&world), &unknown), [FAILURE]);
}

#[test]
fn a_message_may_be_as_long_as_the_limit_and_no_longer() {
    let world = World::with_host("web01");
    let mut stream = connect(&world);
    assert_eq!(ask(&mut stream, &vec![200; MAX_MESSAGE]), [FAILURE]);
    let length = u32::try_from(MAX_MESSAGE + 1).unwrap();
    stream.write_all(&length.to_be_bytes()).unwrap();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    assert!(rest.is_empty(), "the connection ends without an answer");
}

#[test]
fn a_message_that_does_not_end_ends_the_connection_after_ten_seconds() {
    let world = World::with_host("web01");
    let mut silent = connect(&world);
    let mut half = connect(&world);
    let begun = Instant::now();
    half.write_all(&[0, 0, 0, 9, 11]).unwrap();
    let mut rest = Vec::new();
    half.read_to_end(&mut rest).unwrap();
    let seconds = begun.elapsed().as_secs_f64();
    assert!((9.5..PROMPT).contains(&seconds), "{seconds} s");
    assert_eq!(ask(&mut silent, &[11])[0], 12, "silence does no harm");
}

#[test]
fn as_many_connections_as_the_limit_are_served_and_one_more_waits() {
    const MAX_CONNECTIONS: usize = 512;
    let world = World::with(options_with(&[]));
    world.json(&["agent", "start"]);
    let mut held: Vec<_> = (0..MAX_CONNECTIONS).map(|_| connect(&world)).collect();
    assert_eq!(ask(held.last_mut().unwrap(), &[11])[0], 12);
    let mut waiting = connect(&world);
    waiting.write_all(&string(&[11])).unwrap();
    waiting
        .set_read_timeout(Some(Duration::from_millis(500)))
        .unwrap();
    let mut byte = [0];
    assert!(waiting.read(&mut byte).is_err(), "there is no place yet");
    held.pop();
    let mut answered = false;
    wait_for("the answer", || {
        answered = answered || waiting.read(&mut byte).is_ok();
        answered
    });
}
