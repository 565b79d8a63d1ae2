//! Everything that can go wrong between here and the machine: under real `ssh`, each with its sentence, its hint, and an end.

use std::net::{TcpListener, TcpStream};
use std::time::Duration;
use std::{fs, io, thread};

use sandbox::{Fault, Injection, Options};

use crate::world::{Output, PROMPT, World, options_with};

/// What the machine is told to do: to send enough for a fault that begins within the stream, and then to wait.
const BUSY: &str = "sleep 0.3; head -c 200000 /dev/zero; sleep 600";
/// What is given up takes as long, in seconds.
const RELAY_LIMIT: f64 = 30.0;

/// A world in which everything is at hand for a connection to `web01`.
fn world() -> World {
    world_with(options_with(&["web01"]))
}

fn world_with(options: Options) -> World {
    let world = World::signed_in(options);
    world.add(&["web01"]);
    world.ssh("web01", "true").succeeded();
    world
}

/// Connects with a fault in the way, and asserts what ssh and the proxy tell.
#[track_caller]
fn assert_told(world: &World, fault: impl Into<Injection>, expected: &str) -> Output {
    world.sandbox.clear_faults();
    world.sandbox.fault(fault);
    let output = world.ssh("web01", BUSY);
    output.ended_with(255);
    let told = world.filtered(&output);
    assert!(told.contains(expected), "{expected}\n--- is not in\n{told}");
    assert!(!told.contains("panicked"), "{told}");
    output
}

fn refusal(status: u16, text: &str) -> Injection {
    let text = text.to_owned();
    Fault::RelayRefuse { status, text }.times(0)
}

fn close(code: u16, reason: &str) -> Fault {
    Fault::RelayClose {
        after_bytes: 16_384,
        code,
        reason: reason.to_owned(),
    }
}

#[test]
fn refusals_and_nonsense_are_told_at_once() {
    let world = world();
    for (fault, expected) in [
        (
            refusal(401, "MalformedToken"),
            "error: the relay refused the connection: 401 MalformedToken\nhint: connect again; if it stays so, check this \
             machine's clock",
        ),
        (
            refusal(403, "InvalidSignature"),
            "error: the relay refused the connection: 403 InvalidSignature\nhint: connect again; if it stays so",
        ),
        (
            refusal(404, "Endpoint does not exist"),
            "error: the relay refused the connection: 404 Endpoint does not exist\nhint: wait up to 90 s",
        ),
        (
            refusal(404, "There are no listeners connected for the endpoint"),
            "the endpoint\nhint: start the machine, or restart its Azure agent there: sudo systemctl restart himds",
        ),
        (
            refusal(
                503,
                "connection to localhost:22 failed: dial tcp [::1]:22: connect: connection refused",
            ),
            "hint: check the port of sshd (--port)",
        ),
        (
            Fault::RelayGarbage.into(),
            "does not speak the relay's protocol: its answer is not HTTP\nhint: check that the proxy passes WebSockets on",
        ),
        (
            Fault::RelayWrongAccept.into(),
            "does not speak the relay's protocol: its handshake is for another key\n",
        ),
        (
            Fault::RelayReset.into(),
            "error: the connection to the relay `127.0.0.1:[PORT]` broke\ncaused by: ",
        ),
    ] {
        let output = assert_told(&world, fault, expected);
        assert!(
            output.seconds < RELAY_LIMIT,
            "{} s: {expected}",
            output.seconds
        );
    }
}

#[test]
fn a_name_that_is_not_there_is_told_as_such() {
    let world = world();
    world.stop_agent();
    let host = "relay.invalid:443".to_owned();
    let expected = "error: cannot reach the relay `relay.invalid`\ncaused by: failed to lookup address information";
    assert_told(&world, Fault::RelayAddress { host }, expected);
}

#[test]
fn a_certificate_for_another_name_is_refused() {
    let world = world();
    world.stop_agent();
    // The relay, at an address that its certificate does not name.
    let relay = world.sandbox.relay_endpoint().replace("wss://", "");
    let elsewhere = TcpListener::bind("127.0.0.2:0").unwrap();
    let host = elsewhere.local_addr().unwrap().to_string();
    thread::spawn(move || {
        let (mut client, _) = elsewhere.accept().unwrap();
        let mut relay = TcpStream::connect(relay).unwrap();
        let (mut from_client, mut to_relay) =
            (client.try_clone().unwrap(), relay.try_clone().unwrap());
        thread::spawn(move || io::copy(&mut from_client, &mut to_relay));
        io::copy(&mut relay, &mut client)
    });
    let expected = format!(
        "error: cannot open a TLS connection to the relay `{host}`\ncaused by: its certificate is for \
        `localhost`, `127.0.0.1`, `0::1`, and not for `127.0.0.2`\n"
    );
    let output = assert_told(&world, Fault::RelayAddress { host }, &expected);
    assert!(output.seconds < RELAY_LIMIT, "{} s", output.seconds);
}

#[test]
fn a_certificate_of_an_unknown_authority_is_taken_for_a_reader_of_tls() {
    let world = world();
    // The agent keeps what it has read; the proxy reads the file at each start.
    let ca_file = world.sandbox.ca_file();
    let trusted = fs::read(&ca_file).unwrap();
    let other = World::with(options_with(&[]));
    fs::copy(other.sandbox.ca_file(), &ca_file).unwrap();
    let refused = world.ssh("web01", "true");
    refused.ended_with(255);
    let told = world.filtered(&refused);
    let expected = "error: cannot open a TLS connection to the relay `127.0.0.1:[PORT]`\n\
        caused by: its certificate is issued by `";
    assert!(told.contains(expected), "{told}");
    let hint = "hint: a device on the network may intercept TLS";
    assert!(told.contains(hint), "{told}");
    // A root of the system is trusted beside those of the file.
    let system = world.root().join("system.pem");
    fs::write(&system, trusted).unwrap();
    let trusting = world
        .ssh_command(&["web01", "true"])
        .env("SSL_CERT_FILE", &system)
        .run();
    trusting.succeeded();
}

#[test]
fn an_open_connection_that_is_closed_says_by_whom_and_why() {
    let world = world();
    for (code, reason, expected) in [
        (
            1001,
            "",
            "error: the relay closed the connection: the machine's listener has gone (close code 1001)\nhint: connect again\n",
        ),
        (
            1008,
            "",
            "error: the relay closed the connection: the relay token has expired (close code 1008)\nhint: connect again, which fetches new credentials\n",
        ),
        (
            1011,
            "the listener failed",
            "error: the relay closed the connection: the listener failed (close code 1011)\n",
        ),
    ] {
        world.sandbox.clear_requests();
        let output = assert_told(&world, close(code, reason), expected);
        assert!(output.seconds < RELAY_LIMIT, "{} s", output.seconds);
        let fetched = usize::from(code == 1008);
        assert_eq!(world.credentials_requests(), fetched, "{code}");
    }
    // What ends as it should needs no word of ours. ssh has its own, by what it finds first: nothing more to read, or nobody
    // to write to.
    world.sandbox.clear_faults();
    world.sandbox.fault(close(1000, ""));
    let output = world.ssh("web01", BUSY);
    output.ended_with(255);
    let is_told = ["closed by remote host", "Broken pipe"]
        .iter()
        .any(|told| output.stderr.contains(told));
    assert!(is_told, "{output}");
    assert!(!output.stderr.contains("error:"), "{output}");
}

#[test]
fn a_listener_that_reads_only_short_messages_is_told_as_such() {
    let world = World::signed_in(Options {
        agent_read_limit: 4 * 1024,
        ..options_with(&["web01"])
    });
    world.add(&["web01"]);
    let output = world
        .ssh_command(&["web01", "cat >/dev/null"])
        .stdin(vec![7; 4 * 1024 * 1024])
        .run();
    output.ended_with(255);
    let expected = "error: the relay closed the connection: read limited at 4097 bytes (close code 1009)\n\
        hint: update the machine's Azure agent: it must accept messages of 32 KiB\n";
    assert!(output.stderr.contains(expected), "{output}");
}

#[test]
fn a_listener_that_dies_mid_transfer_ends_the_session_whatever_standard_input_does() {
    let world = world();
    let mut session = world
        .ssh_command(&["web01", "echo ready; exec sleep 600"])
        .open_stdin()
        .start();
    crate::world::wait_for("the session", || session.stdout() == "ready\n");
    session.write(b"typed");
    world.sandbox.stop_agent("web01").unwrap();
    let output = session.finish();
    output.ended_with(255);
    assert!(
        output
            .stderr
            .contains("error: the relay closed the connection: "),
        "{output}"
    );
    assert!(output.seconds < RELAY_LIMIT, "{} s", output.seconds);
}

#[test]
fn refused_and_dropped_have_exit_statuses_of_their_own() {
    let world = world();
    let machine = world.machine("web01");
    world.sandbox.fault(refusal(503, "busy"));
    let refused = world.entra_ssh(&["proxy", &machine]);
    refused.ended_with(1);
    world.sandbox.clear_faults();
    world.sandbox.fault(Fault::RelayClose {
        after_bytes: 0,
        code: 1011,
        reason: String::new(),
    });
    let mut dropped = world.command(&["proxy", &machine]).open_stdin().start();
    dropped.write(b"SSH-2.0-nobody\r\n");
    dropped.finish().ended_with(3);
}

#[test]
fn a_relay_that_never_begins_tls_is_given_up_within_its_limit() {
    assert_given_up(Fault::RelayMute);
}

#[test]
fn a_relay_that_never_answers_the_upgrade_is_given_up_within_its_limit() {
    assert_given_up(Fault::RelayStall { after_bytes: None });
}

#[test]
fn a_listener_that_never_answers_is_given_up_within_its_limit() {
    let world = world();
    let expected = "error: the relay refused the connection: 504 the listener did not respond in time\nhint: connect \
        again in a moment";
    let output = assert_told(
        &world,
        refusal(504, "the listener did not respond in time"),
        expected,
    );
    assert!(
        output.seconds < RELAY_LIMIT + PROMPT,
        "{} s",
        output.seconds
    );
}

#[track_caller]
fn assert_given_up(fault: Fault) {
    let world = world();
    let expected = "error: the relay `127.0.0.1:[PORT]` did not answer within 30 s\nhint: allow outgoing HTTPS to";
    let output = assert_told(&world, fault.times(0), expected);
    assert!(
        (28.0..RELAY_LIMIT + PROMPT).contains(&output.seconds),
        "{} s",
        output.seconds
    );
}

/// Takes two minutes: that is how long a relay may hold a connection and do nothing.
#[test]
#[ignore = "takes two minutes"]
fn half_open_silence_is_noticed_by_the_missing_pong() {
    // A relay that does not even end what is idle.
    let world = world_with(Options {
        relay_idle_time: Duration::from_secs(600),
        ..options_with(&["web01"])
    });
    world.sandbox.fault(Fault::RelayStall {
        after_bytes: Some(0),
    });
    let machine = world.machine("web01");
    let mut silent = world
        .command(&["proxy", &machine])
        .limit(Duration::from_secs(180))
        .open_stdin()
        .start();
    silent.write(b"SSH-2.0-nobody\r\n");
    let output = silent.finish();
    output.ended_with(3);
    assert!(
        world.filtered(&output).contains("has been silent for 9"),
        "{output}"
    );
}
