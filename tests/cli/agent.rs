//! The agent: one for each user, and hard to upset.

use std::fs;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};

use crate::world::agent_socket::{
    FAILURE, IDENTITIES_ANSWER, REQUEST_IDENTITIES, SIGN_REQUEST, SIGN_RESPONSE, ask, connect,
    identities, string,
};
use crate::world::{ADA, PROMPT, World, contains, mode, options_with, program, wait_for};

#[test]
fn of_twenty_that_are_started_at_once_one_remains() {
    let world = World::with(options_with(&[]));
    let running: Vec<_> = (0..20)
        .map(|_| world.command(&["agent", "start", "-o", "json"]).start())
        .collect();
    let ids: Vec<_> = running
        .into_iter()
        .map(|running| {
            let output = running.finish();
            output.succeeded();
            output.json()["pid"].as_i64().unwrap()
        })
        .collect();
    wait_for("the others to leave", || world.agents().len() == 1);
    assert!(
        ids.iter().all(|id| *id == i64::from(world.agents()[0].id)),
        "{ids:?}"
    );
    assert_eq!(mode(&world.socket()), 0o600);
    assert_eq!(mode(world.socket().parent().unwrap()), 0o700);
    world.stop_agent();
    assert!(!world.socket().exists());
    world
        .entra_ssh(&["agent", "stop"])
        .printed("the agent did not run\n");
    assert_eq!(world.json(&["agent", "status"])["running"], false);
}

#[test]
fn an_agent_that_is_stopped_stays_stopped_though_others_lost_the_race_just_now() {
    let world = World::with(options_with(&[]));
    let running: Vec<_> = (0..6)
        .map(|_| world.command(&["agent", "start"]).start())
        .collect();
    for each in running {
        each.finish().succeeded();
    }
    world.entra_ssh(&["agent", "stop"]).succeeded();
    wait_for("all of them to end", || world.agents().is_empty());
    assert!(!world.socket().exists());
}

#[test]
fn an_agent_that_was_killed_leaves_its_place_to_the_next() {
    let world = World::with_host("web01");
    let first = world.agents();
    first[0].kill();
    wait_for("the agent to be gone", || world.agents().is_empty());
    assert!(
        world.socket().exists(),
        "a killed process leaves its socket"
    );
    assert_eq!(world.json(&["agent", "status"])["running"], false);
    world.ssh("web01", "true").succeeded();
    // Of several that were started at once, all but one leave.
    wait_for("one agent to remain", || world.agents().len() == 1);
    let second = world.agents();
    assert_ne!(second[0].id, first[0].id);
}

#[test]
fn an_agent_that_nobody_asks_ends() {
    let world = World::with(options_with(&[]));
    let running = world.command(&["agent", "run", "--idle", "1"]).start();
    wait_for("the agent", || world.socket().exists());
    let output = running.finish();
    output.succeeded();
    assert!(output.seconds < PROMPT, "{output}");
    assert!(!world.socket().exists());
}

#[test]
fn the_agent_outlives_whoever_started_it_and_holds_no_pipe_of_theirs() {
    let world = World::with(options_with(&[]));
    let mut start = Command::new(program())
        .args(["agent", "start"])
        .env_clear()
        .env("HOME", world.home())
        .env("XDG_RUNTIME_DIR", world.runtime())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = start.stdin.take().unwrap();
    // Ends when nobody can write to the pipes any more.
    let output = start.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(world.json(&["agent", "status"])["running"], true);
    let written = stdin.write_all(b"is anybody there?");
    assert_eq!(written.unwrap_err().kind(), ErrorKind::BrokenPipe);
}

#[test]
#[ignore = "only root may look at the files of an agent: tests/run runs it as root"]
fn as_root_the_agent_is_seen_to_hold_no_file_of_whoever_started_it() {
    let world = World::with_host("web01");
    let agent = &world.agents()[0];
    let folder = format!("/proc/{}", agent.id);
    assert_eq!(
        fs::read_link(format!("{folder}/cwd")).unwrap().to_str(),
        Some("/")
    );
    let stat = fs::read_to_string(format!("{folder}/stat")).unwrap();
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap()
        .split_whitespace()
        .collect();
    assert_eq!(
        fields[3],
        agent.id.to_string(),
        "it leads a session of its own"
    );
    for number in 0..3 {
        let target = fs::read_link(format!("{folder}/fd/{number}")).unwrap();
        assert_eq!(target.to_str(), Some("/dev/null"), "descriptor {number}");
    }
}

#[test]
fn ssh_add_lists_the_certificate() {
    let world = World::with_host("web01");
    let certificate = world.json(&["cert", "show"]);
    let short = world.ssh_add("-l");
    short.succeeded();
    let fingerprint = certificate["public_key_fingerprint"].as_str().unwrap();
    assert!(
        short
            .stdout
            .starts_with(&format!("3072 {fingerprint} {ADA} ")),
        "{short}"
    );
    assert!(short.stdout.ends_with("(RSA-CERT)\n"), "{short}");
    assert_eq!(short.stdout.lines().count(), 1);
    let long = world.ssh_add("-L");
    assert!(
        long.stdout.starts_with("ssh-rsa-cert-v01@openssh.com AAAA"),
        "{long}"
    );
    fs::write(world.home().join("listed-cert.pub"), &long.stdout).unwrap();
    let listed = world.json(&["cert", "show", "listed-cert.pub"]);
    assert_eq!(
        listed["public_key_fingerprint"],
        certificate["public_key_fingerprint"]
    );
    // After a restart it is read from the keyring, whoever asks.
    world.stop_agent();
    world.json(&["agent", "start"]);
    assert_eq!(
        world.ssh_add("-L").stdout.split(' ').nth(1),
        long.stdout.split(' ').nth(1)
    );
}

#[test]
fn signatures_with_sha_1_and_by_other_keys_are_refused() {
    let world = World::with_host("web01");
    let blobs = identities(&world);
    assert_eq!(blobs.len(), 1);
    let sign = |blob: &[u8], flags: u32| {
        let message = [
            &[SIGN_REQUEST][..],
            &string(blob),
            &string(b"data"),
            &flags.to_be_bytes(),
        ]
        .concat();
        ask(&mut connect(&world), &message)
    };
    for (flags, name) in [(2, "rsa-sha2-256"), (4, "rsa-sha2-512")] {
        let answer = sign(&blobs[0], flags);
        assert_eq!(answer[0], SIGN_RESPONSE);
        assert!(contains(&answer[..40], name.as_bytes()), "{name}");
    }
    assert_eq!(sign(&blobs[0], 0), [FAILURE], "SHA-1");
    let mut other = blobs[0].clone();
    let last = other.len() - 1;
    other[last] ^= 1;
    assert_eq!(sign(&other, 4), [FAILURE], "another key");
    assert_eq!(sign(b"", 4), [FAILURE], "no key");
}

#[test]
fn garbage_ends_the_connection_and_not_the_agent() {
    let world = World::with_host("web01");
    let before = world.agents()[0].id;
    let too_long = u32::try_from(256 * 1024 + 1).unwrap().to_be_bytes();
    let mut noise = vec![0xff; 4];
    noise.extend((0..5000_u32).map(|number| u8::try_from(number * 37 % 251).unwrap()));
    for (name, bytes) in [
        ("a length of 0", &[0, 0, 0, 0][..]),
        ("a length of 256 KiB and one", &too_long),
        ("the longest length", &[0xff; 4]),
        ("noise", &noise),
    ] {
        let mut stream = connect(&world);
        // It may be closed before all of it is written.
        let _written = stream.write_all(bytes);
        let mut rest = Vec::new();
        let _read = stream.read_to_end(&mut rest);
        assert!(rest.len() <= 5, "{name} was answered with {rest:?}");
        assert_eq!(identities(&world).len(), 1, "after {name}");
    }
    // Half a length, and half a message, then silence or the end.
    for (half, shut) in [
        (&[0, 0][..], false),
        (&[0, 0, 0, 9, 11], false),
        (&[0, 0], true),
        (&[0, 0, 0, 9, 11], true),
    ] {
        let mut stream = connect(&world);
        stream.write_all(half).unwrap();
        if shut {
            stream.shutdown(Shutdown::Write).unwrap();
            let mut rest = Vec::new();
            stream.read_to_end(&mut rest).unwrap();
            assert!(rest.is_empty());
        }
        assert_eq!(identities(&world).len(), 1, "while half a message waits");
    }
    // Whole messages that make no sense are answered, and the connection goes on.
    let mut stream = connect(&world);
    for message in [
        &[0][..],
        &[255],
        &[SIGN_REQUEST],
        &[SIGN_REQUEST, 0xff, 0xff, 0xff, 0xff],
        &[27, 0, 0, 0, 3, b'a', b's', b'k'],
        &[REQUEST_IDENTITIES, 1, 2, 3],
    ] {
        let answer = ask(&mut stream, message);
        assert!(
            answer[0] == FAILURE
                || (message[0] == REQUEST_IDENTITIES && answer[0] == IDENTITIES_ANSWER),
            "{message:?}: {answer:?}"
        );
    }
    let longest = ask(&mut stream, &vec![200; 256 * 1024]);
    assert_eq!(longest, [FAILURE]);
    assert_eq!(world.agents()[0].id, before);
}

#[test]
fn what_only_our_own_programs_may_ask_is_not_asked_through_ssh() {
    let world = World::with_host("web01");
    world.ssh("web01", "true").succeeded();
    let ask_own_program = |stream: &mut UnixStream, question: &[u8]| {
        let message = [&[27][..], &string(b"ask@entra-ssh"), question].concat();
        ask(stream, &message)
    };
    // `ssh -A` carries the first socket to other machines.
    assert_eq!(
        ask_own_program(&mut connect(&world), b"\"status\""),
        [FAILURE]
    );
    assert_eq!(
        ask_own_program(&mut connect(&world), b"\"stop\""),
        [FAILURE]
    );
    let own = world.socket().with_file_name("agent.sock.ask");
    assert_eq!(mode(&own), 0o600);
    let mut stream = UnixStream::connect(&own).unwrap();
    let answer = ask_own_program(&mut stream, b"\"status\"");
    assert!(
        contains(&answer, b"\"pid\""),
        "{}",
        String::from_utf8_lossy(&answer)
    );
    for nonsense in [&b"{\"certificate\":"[..], b"", b"\xff", b"\"make-tea\""] {
        let answer = ask_own_program(&mut stream, nonsense);
        assert!(
            contains(&answer, b"another version"),
            "{}",
            String::from_utf8_lossy(&answer)
        );
    }
    for garbage in [&[0, 0, 0, 0][..], &[0xff; 4096]] {
        let mut stream = UnixStream::connect(&own).unwrap();
        // It may be closed before all of it is written.
        let _written = stream.write_all(garbage);
    }
    assert_eq!(world.json(&["agent", "status"])["running"], true);
    world.stop_agent();
    assert!(!own.exists() && !world.socket().exists());
}

#[test]
fn many_connections_at_once_are_served() {
    let world = World::with_host("web01");
    let idle: Vec<_> = (0..200).map(|_| connect(&world)).collect();
    assert_eq!(identities(&world).len(), 1);
    drop(idle);
    world.ssh("web01", "true").succeeded();
}

#[test]
fn another_socket_is_another_agent() {
    let world = World::with_host("web01");
    let other = world.runtime().join("other").join("a.sock");
    let other = other.to_str().unwrap();
    let status = world.json(&["--agent-socket", other, "agent", "start"]);
    assert_eq!(status["socket"], other);
    assert_eq!(world.agents().len(), 2);
    world
        .entra_ssh(&["--agent-socket", other, "agent", "stop"])
        .succeeded();
    wait_for("it to end", || world.agents().len() == 1);
}

#[test]
fn a_socket_that_cannot_be_is_told_at_once() {
    let world = World::with(options_with(&[]));
    let too_long = world.runtime().join("x".repeat(120)).join("agent.sock");
    let output = world.entra_ssh(&[
        "--agent-socket",
        too_long.to_str().unwrap(),
        "agent",
        "start",
    ]);
    output.ended_with(1);
    let asked = format!("{}.ask", too_long.display());
    assert_eq!(
        output.stderr,
        format!(
            "error: the path of the socket `{asked}` has {} bytes; a socket can have 107\n\
             hint: name a shorter path: entra-ssh --agent-socket FILE, or set XDG_RUNTIME_DIR to a shorter one\n",
            asked.len()
        )
    );
    assert!(output.seconds < PROMPT, "{output}");
}
