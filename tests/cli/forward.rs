//! A local port that leads to a machine.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use sandbox::{Fault, MachineKind, Options};
use serde_json::Value;

use crate::world::{ADA, Invocation, Running, World, options, options_with, wait_for};

/// A forward that listens.
struct Forward {
    running: Running,
    address: SocketAddr,
}

impl Forward {
    #[track_caller]
    fn start(invocation: Invocation) -> Self {
        let running = invocation.args(["-o", "json"]).start();
        wait_for("the port", || running.stdout().ends_with('\n'));
        let row: Value = serde_json::from_str(&running.stdout()).unwrap();
        Self {
            address: row["bind"].as_str().unwrap().parse().unwrap(),
            running,
        }
    }

    /// Connects, and returns the connection once the machine has said who it is.
    fn connect(&self) -> TcpStream {
        let mut client = TcpStream::connect(self.address).unwrap();
        client
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        let mut greeting = [0; 8];
        client.read_exact(&mut greeting).unwrap();
        assert_eq!(&greeting, b"SSH-2.0-");
        client
    }

    fn signal(&self, signal: Signal) {
        let process = Pid::from_raw(self.running.id().try_into().unwrap()).unwrap();
        kill_process(process, signal).unwrap();
    }
}

fn sshd() -> Options {
    Options {
        machine_kind: MachineKind::Sshd,
        ..options_with(&["web01"])
    }
}

/// Runs ssh through the port, with the certificate that the agent serves.
fn through(world: &World, forward: &Forward, arguments: &[&str]) -> Invocation {
    let agent = format!("IdentityAgent={}", world.socket().display());
    let known_hosts = world.root().join("known");
    let known_hosts = format!("UserKnownHostsFile={}", known_hosts.display());
    let port = forward.address.port().to_string();
    world
        .program("ssh")
        .args(["-F", "none", "-p", &port, "-o", &agent, "-o", &known_hosts])
        .args(["-o", "StrictHostKeyChecking=accept-new", "-o"])
        .arg("HostKeyAlias=web01")
        .args(["-l", ADA, "127.0.0.1"])
        .args(arguments)
}

#[test]
fn ssh_without_a_proxy_command_logs_in_to_the_real_sshd() {
    let world = World::with(sshd());
    world.login(ADA);
    world.entra_ssh(&["cert"]).succeeded();
    let forward = Forward::start(world.command(&["forward", "web01"]));
    assert!(forward.address.ip().is_loopback());
    let sessions: Vec<_> = (0..8)
        .map(|number| through(&world, &forward, &[&format!("echo {number}")]).start())
        .collect();
    for (number, session) in sessions.into_iter().enumerate() {
        let output = session.finish();
        output.succeeded();
        assert_eq!(output.stdout, format!("{number}\n"));
    }
    assert_eq!(world.credentials_requests(), 1);
    forward.signal(Signal::TERM);
    let ended = forward.running.finish();
    ended.succeeded();
    assert!(!ended.stderr.contains("error:"), "{ended}");
}

#[test]
fn a_socks_proxy_of_ssh_reaches_what_the_machine_reaches() {
    let world = World::with(options());
    world.login(ADA);
    world.entra_ssh(&["cert"]).succeeded();
    let forward = Forward::start(world.command(&["forward", "web01"]));
    let service = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = service.local_addr().unwrap().port();
    let serving = std::thread::spawn(move || {
        let (mut client, _) = service.accept().unwrap();
        let mut request = [0; 4];
        client.read_exact(&mut request).unwrap();
        client.write_all(b"pong").unwrap();
        request
    });
    let socks = TcpListener::bind("127.0.0.1:0").unwrap();
    let socks_address = socks.local_addr().unwrap();
    drop(socks);
    let dynamic = socks_address.to_string();
    let session = through(&world, &forward, &["-N", "-D", &dynamic]).start();
    let mut client = None;
    wait_for("the SOCKS proxy", || {
        client = TcpStream::connect(socks_address).ok();
        client.is_some()
    });
    let mut client = client.unwrap();
    client
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    // RFC 1928: no authentication, then CONNECT to 127.0.0.1.
    client.write_all(&[5, 1, 0]).unwrap();
    let mut method = [0; 2];
    client.read_exact(&mut method).unwrap();
    assert_eq!(method, [5, 0]);
    let [high, low] = port.to_be_bytes();
    client
        .write_all(&[5, 1, 0, 1, 127, 0, 0, 1, high, low])
        .unwrap();
    let mut reply = [0; 10];
    client.read_exact(&mut reply).unwrap();
    assert_eq!(reply[1], 0, "{reply:?}");
    client.write_all(b"ping").unwrap();
    let mut answer = [0; 4];
    client.read_exact(&mut answer).unwrap();
    assert_eq!((&answer, &serving.join().unwrap()), (b"pong", b"ping"));
    drop(session);
}

#[test]
fn every_connection_has_live_credentials_and_its_failure_ends_no_other() {
    let world = World::with(options());
    world.login(ADA);
    world.add(&["web01"]);
    let forward = Forward::start(world.command(&["forward", "web01", "--bind", "0"]));
    let mut first = forward.connect();
    world.sandbox.clear_requests();
    let text = "InvalidSignature".to_owned();
    world
        .sandbox
        .fault(Fault::RelayRefuse { status: 401, text });
    // The credentials at hand are refused, and the second one goes through with others.
    let _second = forward.connect();
    assert_eq!(world.credentials_requests(), 1);
    let text = "There are no listeners connected for the endpoint".to_owned();
    let nobody = Fault::RelayRefuse { status: 404, text };
    world.sandbox.fault(nobody.times(0));
    let mut third = TcpStream::connect(forward.address).unwrap();
    third
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    assert_eq!(third.read(&mut [0]).unwrap(), 0, "nothing may come");
    wait_for("the word", || {
        forward.running.stderr().contains("no listeners connected")
    });
    world.sandbox.clear_faults();
    // The first one is none the worse for it.
    first.write_all(b"SSH-2.0-test\r\n").unwrap();
    assert_ne!(first.read(&mut [0; 64]).unwrap(), 0);
}

#[test]
fn a_stop_waits_for_what_is_open_and_a_second_one_does_not() {
    let world = World::with(options());
    world.login(ADA);
    let forward = Forward::start(world.command(&["forward", "web01"]));
    let mut client = forward.connect();
    forward.signal(Signal::INT);
    let told = "waiting up to 10 s for 1 open connections; Ctrl-C cuts them\n";
    wait_for("the word", || forward.running.stderr() == told);
    assert!(TcpStream::connect(forward.address).is_err());
    client.write_all(b"SSH-2.0-test\r\n").unwrap();
    assert_ne!(client.read(&mut [0; 64]).unwrap(), 0);
    let begun = Instant::now();
    forward.signal(Signal::INT);
    forward.running.finish().succeeded();
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[test]
fn what_cannot_be_forwarded_is_told_at_once() {
    let world = World::with(options());
    let nobody = world.entra_ssh(&["forward", "web01"]);
    nobody.ended_with(4);
    world.login(ADA);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = world.entra_ssh(&["forward", "web01", "--bind", &address]);
    output.ended_with(2);
    let told = world.filtered(&output);
    let expected = "error: cannot listen at 127.0.0.1:[PORT]\ncaused by: Address already in use (os error 98)\n\
        hint: another program has this port; without --bind, a free one is taken\n";
    assert_eq!(told, expected);
    let output = world.entra_ssh(&["forward", "web01", "--bind", "web01:22"]);
    output.ended_with(2);
    assert!(
        output
            .stderr
            .contains("an address and a port, as in 127.0.0.1:2222"),
        "{output}"
    );
}
