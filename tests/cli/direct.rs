//! Azure VMs, which are reached by their addresses: real `ssh`, `scp` and `sshd`.

mod addresses;
mod refusals;

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use sandbox::{Network, Options, PublicAddress};

use crate::world::{
    ADA, Output, Process, RefusingPort, World, options_with, options_with_sshd, wait_for,
};

/// A loopback address that nobody listens on.
const NOBODY: &str = "127.0.0.9";

const SIX_MIB: usize = 6 * 1024 * 1024;

/// Returns a world in which Ada is signed in, and the port of `vm01`.
fn signed_in(options: Options) -> (World, String) {
    let world = World::signed_in(options);
    let port = world.port("vm01");
    (world, port)
}

fn network(public: Option<&str>, private: &str) -> Network {
    Network {
        public: public.map_or(PublicAddress::Absent, |address| {
            PublicAddress::Is(address.parse().unwrap())
        }),
        private: Some(private.parse().unwrap()),
        ..Network::default()
    }
}

/// Runs what ssh runs as `ProxyCommand`, with an agent that knows no address yet.
fn proxy(world: &World, port: &str, arguments: &[&str]) -> Output {
    world.stop_agent();
    world
        .command(&["proxy", &world.machine("vm01"), "--port", port])
        .args(arguments)
        .run()
}

/// Counts what was asked of ARM for addresses: the VM, its interface, its public address.
fn address_requests(world: &World) -> [usize; 3] {
    ["virtualmachines", "networkinterfaces", "publicipaddresses"].map(|kind| {
        let part = format!("/{kind}/");
        let asked =
            world.requests(|row| row.method == "GET" && row.path.to_lowercase().contains(&part));
        asked.len()
    })
}

fn has_proxy(world: &World) -> bool {
    world.processes().iter().any(Process::is_proxy)
}

/// Listens, and takes no connection any more, as a firewall that drops packets does: a queue that is full.
fn fall_silent(address: (&str, u16)) -> (TcpListener, Vec<TcpStream>) {
    let listener = TcpListener::bind(address).unwrap();
    rustix::net::listen(&listener, 0).unwrap();
    let address = listener.local_addr().unwrap();
    let mut filling = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
        filling.push(stream);
    }
    (listener, filling)
}

#[test]
fn ssh_is_given_the_connection_and_nothing_of_ours_stays() {
    let (world, port) = signed_in(options_with_sshd(&["vm01"]));
    world.add(&["vm01", "--port", &port]);
    let host = &world.json(&["config", "list"])[0];
    assert_eq!(
        [&host["route"], &host["identity"], &host["user"]],
        ["direct", "agent", ADA]
    );
    let read = world.ssh_command(&["-G", "vm01"]).run();
    for line in [
        "proxyusefdpass yes".to_owned(),
        format!("port {port}"),
        format!("user {ADA}"),
    ] {
        assert!(read.stdout.lines().any(|said| said == line), "{read}");
    }
    world.ssh("vm01", "exit 7").ended_with(7);
    let mut session = world.ssh_command(&["vm01", "cat"]).open_stdin().start();
    session.write(b"one\n");
    wait_for("the first line", || session.stdout() == "one\n");
    assert!(!has_proxy(&world), "{:?}", world.processes());
    session.write(b"two\n");
    session.close_stdin();
    let output = session.finish();
    output.printed("one\ntwo\n");
    assert_eq!(
        output.stderr, "",
        "nothing is said of what is as it should be"
    );
}

#[test]
fn files_come_through_whole_both_ways() {
    let (world, port) = signed_in(options_with_sshd(&["vm01"]));
    world.add(&["vm01", "--port", &port]);
    let bytes: Vec<u8> = (0..SIX_MIB)
        .map(|index| u8::try_from(index * 7 % 251).unwrap())
        .collect();
    let (here, back) = (world.home().join("here"), world.home().join("back"));
    fs::write(&here, &bytes).unwrap();
    let there = "vm01:direct-test";
    let up = world.scp(&[here.to_str().unwrap(), there]).run();
    up.succeeded();
    let down = world.scp(&[there, back.to_str().unwrap()]).run();
    down.succeeded();
    assert!(fs::read(&back).unwrap() == bytes);
    // And where the descriptor is not passed, through the proxy.
    let copying = ["-o", "ProxyUseFDPass=no", there, back.to_str().unwrap()];
    fs::remove_file(&back).unwrap();
    world.scp(&copying).run().succeeded();
    assert!(fs::read(&back).unwrap() == bytes);
    world.ssh("vm01", "rm direct-test").succeeded();
}

#[test]
fn bytes_are_carried_where_no_connection_is_asked_for() {
    let (world, port) = signed_in(options_with_sshd(&["vm01"]));
    world.add(&["vm01", "--port", &port]);
    let carried = |command: &str| world.ssh_command(&["-o", "ProxyUseFDPass=no", "vm01", command]);
    carried("exit 7").run().ended_with(7);
    let mut session = carried("cat").open_stdin().start();
    session.write(b"one\n");
    wait_for("the first line", || session.stdout() == "one\n");
    assert!(has_proxy(&world));
    session.close_stdin();
    let output = session.finish();
    output.succeeded();
    assert_eq!(
        (output.stdout.as_str(), output.stderr.as_str()),
        ("one\n", "")
    );
    wait_for("the proxy to end", || !has_proxy(&world));
    // The machine goes, and ssh is told although it says nothing itself.
    let session = carried("echo in; sleep 600").open_stdin().start();
    wait_for("the session", || session.stdout() == "in\n");
    world.sandbox.stop_machine("vm01").unwrap();
    session.finish().ended_with(255);
    wait_for("the proxy to end", || !has_proxy(&world));
}

#[test]
fn azure_is_asked_once_however_many_connect() {
    let (world, port) = signed_in(options_with(&["vm01"]));
    world.add(&["vm01", "--port", &port]);
    world.ssh("vm01", "true").succeeded();
    world.stop_agent();
    world.sandbox.clear_requests();
    let running: Vec<_> = (0..10)
        .map(|_| world.ssh_command(&["vm01", "true"]).start())
        .collect();
    for each in running {
        each.finish().succeeded();
    }
    assert_eq!(address_requests(&world), [1; 3]);
    world.sandbox.clear_requests();
    for _ in 0..3 {
        world.ssh("vm01", "true").succeeded();
    }
    assert!(world.sandbox.requests().is_empty());
}

#[test]
fn a_direct_connection_goes_around_the_proxy_for_https() {
    let (world, port) = signed_in(options_with(&["vm01"]));
    world.add(&["vm01", "--port", &port]);
    world.stop_agent();
    // The proxy refuses; Entra and ARM are at `localhost`, and the VM is not.
    let refusing = RefusingPort::open();
    let proxy = format!("http://127.0.0.1:{}", refusing.number());
    world
        .ssh_command(&["vm01", "echo in"])
        .env("HTTPS_PROXY", &proxy)
        .env("ALL_PROXY", &proxy)
        .env("NO_PROXY", "localhost")
        .run()
        .printed("in\n");
}
