//! A local port that leads to a machine.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use sandbox::Fault;
use serde_json::Value;

use crate::world::{
    ADA, Forward, Invocation, LIMIT, RefusingPort, World, free_address, options, options_with,
    options_with_sshd, wait_for,
};

/// Runs ssh through the port, with the certificate that the agent serves.
fn through(world: &World, forward: &Forward, arguments: &[&str]) -> Invocation {
    through_to("web01", world, forward, arguments)
}

fn through_to(host: &str, world: &World, forward: &Forward, arguments: &[&str]) -> Invocation {
    let agent = format!("IdentityAgent={}", world.socket().display());
    let known_hosts = world.root().join("known");
    let known_hosts = format!("UserKnownHostsFile={}", known_hosts.display());
    let port = forward.address.port().to_string();
    world
        .program("ssh")
        .args(["-F", "none", "-p", &port, "-o", &agent, "-o", &known_hosts])
        .args(["-o", "StrictHostKeyChecking=accept-new", "-o"])
        .arg(format!("HostKeyAlias={host}"))
        .args(["-l", ADA, "127.0.0.1"])
        .args(arguments)
}

#[test]
fn ssh_without_a_proxy_command_logs_in_to_the_real_sshd() {
    let world = World::signed_in(options_with_sshd(&["web01"]));
    // It sees to the certificate, too.
    let forward = Forward::start(world.command(&["forward", "web01"]));
    assert!(forward.address.ip().is_loopback());
    // What it says to type works, with the host keys that managed hosts have.
    let told = || forward.running.stderr();
    wait_for("the word", || told().ends_with('\n'));
    let line = told();
    let line = line.strip_prefix("log in with: ssh ").unwrap().trim_end();
    assert!(line.ends_with(&format!(" {ADA}@127.0.0.1")), "{line}");
    let accept = ["-F", "none", "-o", "StrictHostKeyChecking=accept-new"];
    let typed = world.program("ssh").args(accept);
    typed
        .args(line.split(' '))
        .args(["echo", "in"])
        .run()
        .printed("in\n");
    world.add(&["web01"]);
    world
        .ssh_command(&["-o", "StrictHostKeyChecking=yes", "web01", "true"])
        .run()
        .succeeded();
    let sessions: Vec<_> = (0..8)
        .map(|number| through(&world, &forward, &[&format!("echo {number}")]).start())
        .collect();
    for (number, session) in sessions.into_iter().enumerate() {
        session.finish().printed(&format!("{number}\n"));
    }
    assert_eq!(world.credentials_requests(), 1);
    forward.signal(Signal::TERM);
    let ended = forward.running.finish();
    ended.succeeded();
    assert!(!ended.stderr.contains("error:"), "{ended}");
}

#[test]
fn a_socks_proxy_of_ssh_reaches_what_the_machine_reaches() {
    let world = World::signed_in(options());
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
    let socks_address = free_address();
    let dynamic = socks_address.to_string();
    let session = through(&world, &forward, &["-N", "-D", &dynamic]).start();
    let mut client = None;
    wait_for("the SOCKS proxy", || {
        client = TcpStream::connect(socks_address).ok();
        client.is_some()
    });
    let mut client = client.unwrap();
    client.set_read_timeout(Some(LIMIT)).unwrap();
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
    let world = World::signed_in(options());
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
    forward.connect_in_vain();
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
    let world = World::signed_in(options());
    let forward = Forward::start(world.command(&["forward", "web01"]));
    let mut client = forward.connect();
    forward.signal(Signal::INT);
    let told = "waiting up to 10 s for 1 connection to end; press Ctrl-C to close what is left\n";
    wait_for("the word", || forward.running.stderr().ends_with(told));
    assert!(TcpStream::connect(forward.address).is_err());
    client.write_all(b"SSH-2.0-test\r\n").unwrap();
    assert_ne!(client.read(&mut [0; 64]).unwrap(), 0);
    let begun = Instant::now();
    forward.signal(Signal::INT);
    forward.running.finish().succeeded();
    // The first one would have waited for ten.
    assert!(begun.elapsed() < Duration::from_secs(9));
}

/// Returns a world with a VM, the real sshd on it, and the port of that.
fn with_vm() -> (World, String) {
    let world = World::signed_in(options_with_sshd(&["vm01"]));
    let port = world.port("vm01");
    (world, port)
}

#[test]
fn a_vm_is_led_to_at_the_address_that_it_has_at_the_moment() {
    let (world, port) = with_vm();
    let forward = Forward::start(world.command(&["forward", "vm01", "--port", &port]));
    through_to("vm01", &world, &forward, &["echo", "in"])
        .run()
        .printed("in\n");
    // Large pieces, both ways, and the end of one side alone.
    let bytes = vec![b'x'; 3 * 1024 * 1024];
    let echo = through_to("vm01", &world, &forward, &["cat"]);
    let mut session = echo.open_stdin().start();
    session.write(&bytes);
    session.close_stdin();
    let output = session.finish();
    output.succeeded();
    assert!(output.stdout.as_bytes() == bytes);
    // A port that nobody listens on is found out by whoever connects, and told.
    let refusing = RefusingPort::open();
    let port = refusing.number().to_string();
    let forward = Forward::start(world.command(&["forward", "vm01", "--port", &port]));
    forward.connect_in_vain();
    let told = format!("`vm01` refuses connections at `127.0.0.1:{port}`");
    wait_for("the word", || forward.running.stderr().contains(&told));
}

#[test]
fn a_managed_vm_and_a_named_address_are_led_to_without_a_question_to_azure() {
    let (world, port) = with_vm();
    world.add(&["vm01", "--port", &port, "--ip", "127.0.0.1"]);
    world.sandbox.clear_requests();
    let managed = Forward::start(world.command(&["forward", "vm01"]));
    let named = world.command(&["forward", "--ip", "localhost", "--port", &port]);
    let named = Forward::start(named);
    for forward in [&managed, &named] {
        through_to("vm01", &world, forward, &["echo", "in"])
            .run()
            .printed("in\n");
    }
    let of_arm = |row: &sandbox::RequestRow| row.path.to_lowercase().contains("/virtualmachines/");
    assert!(world.requests(of_arm).is_empty());
}

#[test]
fn without_a_certificate_it_goes_on_for_logins_of_other_kinds() {
    let world = World::signed_in(options());
    // Certificates are refused, and nothing else is.
    world.sandbox.fault(Fault::StepUp {
        upn: None,
        satisfiable: false,
        error: "interaction_required".to_owned(),
    });
    let forward = Forward::start(world.command(&["forward", "web01"]));
    drop(forward.connect());
    let told = forward.running.stderr();
    assert!(told.contains("AADSTS50076"), "{told}");
    assert!(
        told.contains("continuing without a certificate, for logins with other keys"),
        "{told}"
    );
}

#[test]
fn a_port_that_the_machine_does_not_let_in_is_told_with_the_way_to_have_it() {
    let world = World::signed_in(options());
    // Its first connection has set it up for the port of sshd.
    drop(Forward::start(world.command(&["forward", "web01"])).connect());
    let forward = Forward::start(world.command(&["forward", "web01", "--port", "3389"]));
    forward.connect_in_vain();
    let failure = || forward.running.stderr().lines().nth(1).map(str::to_owned);
    wait_for("the word", || failure().is_some());
    let told: Value = serde_json::from_str(&failure().unwrap()).unwrap();
    let hint = told["hint"].as_str().unwrap();
    assert!(
        hint.ends_with("incomingconnections.ports 3389,OTHERS"),
        "{hint}"
    );
}

#[test]
fn whoever_connects_finds_a_certificate_that_is_still_good() {
    let world = World::signed_in(options_with_sshd(&["web01"]));
    let forward = Forward::start(world.command(&["forward", "web01"]));
    through(&world, &forward, &["true"]).run().succeeded();
    // It ends while nobody connects, and no agent runs.
    world.let_the_certificate_expire();
    through(&world, &forward, &["echo", "in"])
        .run()
        .printed("in\n");
}

#[test]
fn no_certificate_is_asked_for_where_none_is_wanted() {
    let world = World::signed_in(options());
    world.sandbox.clear_requests();
    let command = ["forward", "web01", "--no-certificate"];
    let forward = Forward::start(world.command(&command));
    drop(forward.connect());
    assert_eq!(forward.running.stderr(), "");
    assert_eq!(world.certificate_requests(), 0);
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
    let expected = "error: cannot listen on 127.0.0.1:[PORT]\ncaused by: Address already in use (os error 98)\n\
        hint: another process has this port; without --bind, entra-ssh picks a free one\n";
    assert_eq!(told, expected);
    let output = world.entra_ssh(&["forward", "web01", "--bind", "web01:22"]);
    output.ended_with(2);
    assert!(
        output
            .stderr
            .contains("expected ADDRESS:PORT or PORT, such as 127.0.0.1:2222"),
        "{output}"
    );
}

#[test]
fn an_agent_is_started_after_the_program_was_replaced_or_removed() {
    let world = World::signed_in(options_with(&["web01"]));
    let program = world.home().join("entra-ssh");
    let install = || {
        // As a package manager does: written beside, then put in its place.
        let new = world.home().join("entra-ssh.new");
        std::fs::copy(crate::world::program(), &new).unwrap();
        std::fs::rename(&new, &program).unwrap();
    };
    install();
    let forward = Forward::start(
        world
            .program(&program)
            .args(["forward", "web01"])
            .env("ENTRA_SSH_CLOUD", world.sandbox.cloud_file())
            .env("ENTRA_SSH_KEYRING", "file"),
    );
    drop(forward.connect());
    for is_removed in [false, true] {
        world.stop_agent();
        if is_removed {
            std::fs::remove_file(&program).unwrap();
        } else {
            install();
        }
        drop(forward.connect());
        wait_for("an agent", || !world.agents().is_empty());
    }
    let said = forward.running.stderr();
    assert!(!said.contains("cannot start the agent"), "{said}");
}

#[test]
fn beyond_loopback_it_is_said_who_can_connect() {
    let world = World::signed_in(options_with(&["vm01"]));
    let listen = |bind: &str| {
        let forward = ["forward", "vm01", "--no-certificate", "--bind", bind];
        let forward = Forward::start(world.command(&forward));
        (forward.address.port(), forward.running.stderr())
    };
    let (port, told) = listen("0.0.0.0:0");
    assert!(
        told.contains(&format!(
            "warning: any machine that can reach this one can connect to port 22 of vm01 here; for this machine only, use \
             --bind 127.0.0.1:{port}\n"
        )),
        "{told}"
    );
    let (_, told) = listen("127.0.0.1:0");
    assert!(!told.contains("warning"), "{told}");
}
