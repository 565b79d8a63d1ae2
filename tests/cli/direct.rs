//! Azure VMs, which are reached by their addresses: real `ssh`, `scp` and `sshd`.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::thread::sleep;
use std::time::Duration;

use sandbox::{Fault, MachineKind, Network, Options, PublicAddress};

use crate::world::{ADA, LIMIT, Output, PROMPT, Process, Running, World, options_with, wait_for};

const QUIET: [&str; 2] = ["-o", "StrictHostKeyChecking=accept-new"];
/// A loopback address that nobody listens on.
const NOBODY: &str = "127.0.0.9";
/// How long the agent looks nothing up again, whatever has become of it.
const LEAST_LIFETIME: Duration = Duration::from_secs(2);
const SIX_MIB: usize = 6 * 1024 * 1024;

fn sshd() -> Options {
    Options {
        machine_kind: MachineKind::Sshd,
        ..options_with(&["vm01"])
    }
}

/// Returns a world in which Ada is signed in, and the port of `vm01`.
fn signed_in(options: Options) -> (World, String) {
    let world = World::with(options);
    world.login(ADA);
    let port = world.sandbox.machine_address("vm01").unwrap().port();
    (world, port.to_string())
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

/// Passes on connections from an address that the VM has for a while.
fn lead_from(world: &World, address: &str, port: &str) -> Running {
    let running = world
        .program("socat")
        .arg(format!("TCP-LISTEN:{port},bind={address},fork,reuseaddr"))
        .arg(format!("TCP:127.0.0.1:{port}"))
        .limit(4 * LIMIT)
        .start();
    wait_for("socat to listen", || {
        TcpStream::connect((address, port.parse::<u16>().unwrap())).is_ok()
    });
    running
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
    let (world, port) = signed_in(sshd());
    world.add(&["vm01", "--port", &port]);
    let host = &world.json(&["config", "list"])[0];
    assert_eq!(
        [&host["route"], &host["identity"], &host["user"]],
        ["direct", "agent", ADA]
    );
    let read = world.ssh(&["-G", "vm01"]).run();
    for line in [
        "proxyusefdpass yes".to_owned(),
        format!("port {port}"),
        format!("user {ADA}"),
    ] {
        assert!(read.stdout.lines().any(|said| said == line), "{read}");
    }
    world.ssh(&["vm01", "exit 7"]).run().ended_with(7);
    let mut session = world.ssh(&["vm01", "cat"]).open_stdin().start();
    session.write(b"one\n");
    wait_for("the first line", || session.stdout() == "one\n");
    assert!(!has_proxy(&world), "{:?}", world.processes());
    session.write(b"two\n");
    session.close_stdin();
    let output = session.finish();
    output.succeeded();
    assert_eq!(output.stdout, "one\ntwo\n");
    assert_eq!(
        output.stderr, "",
        "nothing is said of what is as it should be"
    );
}

#[test]
fn files_come_through_whole_both_ways() {
    let (world, port) = signed_in(sshd());
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
    world.ssh(&["vm01", "rm direct-test"]).run().succeeded();
}

#[test]
fn bytes_are_carried_where_no_connection_is_asked_for() {
    let (world, port) = signed_in(sshd());
    world.add(&["vm01", "--port", &port]);
    let carried = |command: &str| world.ssh(&["-o", "ProxyUseFDPass=no", "vm01", command]);
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
fn a_vm_is_reached_without_any_config_by_every_name_it_has() {
    let (world, port) = signed_in(options_with(&["vm01"]));
    let id = world.machine("vm01");
    for target in [
        &["ssh", "vm01"][..],
        &["vm", "rg-vm/vm01"],
        &["vm", "-g", "rg-vm", "-n", "vm01"],
        &["ssh", &id],
    ] {
        let output = world
            .command(target)
            .args(["--port", &port, "--"])
            .args(QUIET)
            .arg("exit 7")
            .run();
        output.ended_with(7);
    }
    assert!(!world.managed_config().exists());
}

#[test]
fn a_vm_without_a_public_address_is_reached_by_its_private_one_which_is_said() {
    let (world, port) = signed_in(options_with(&["vm01"]));
    world
        .sandbox
        .set_network("vm01", network(None, "127.0.0.1"))
        .unwrap();
    world.add(&["vm01", "--port", &port]);
    let output = world.ssh(&["vm01", "echo in"]).run();
    output.succeeded();
    let said =
        format!("`vm01` has no public address; connecting to its private one, 127.0.0.1:{port}\n");
    assert!(output.stderr.contains(&said), "{output}");
    // Whoever wants it so need not be told.
    world.add(&["vm01", "--port", &port, "--prefer-private-ip"]);
    let output = world.ssh(&["vm01", "echo in"]).run();
    output.succeeded();
    assert_eq!(
        (output.stdout.as_str(), output.stderr.as_str()),
        ("in\n", "")
    );
    // A dynamic address that nobody has been given yet is none.
    world.stop_agent();
    let unassigned = Network {
        public: PublicAddress::Unassigned,
        ..Network::default()
    };
    world.sandbox.set_network("vm01", unassigned).unwrap();
    world.ssh(&["vm01", "true"]).run().succeeded();
}

#[test]
fn the_private_address_and_a_named_one_are_taken_before_the_public_one() {
    let (world, port) = signed_in(options_with(&["vm01", "web01"]));
    world
        .sandbox
        .set_network("vm01", network(Some(NOBODY), "127.0.0.1"))
        .unwrap();
    let log_in = |arguments: &[&str]| {
        world
            .command(&["ssh"])
            .args(arguments)
            .args(["--"])
            .args(QUIET)
            .arg("echo in")
            .run()
    };
    let refused = log_in(&["vm01", "--port", &port]);
    refused.ended_with(255);
    let told = format!("error: `vm01` refuses connections at `{NOBODY}:{port}`\n");
    assert!(refused.stderr.contains(&told), "{refused}");
    log_in(&["vm01", "--port", &port, "--prefer-private-ip"]).succeeded();
    world.stop_agent();
    world.sandbox.clear_requests();
    for address in ["127.0.0.1", "localhost"] {
        log_in(&["vm01", "--port", &port, "--ip", address]).succeeded();
    }
    assert_eq!(address_requests(&world), [0; 3]);
    // Whoever shares a network with a machine of Arc need not go through the relay.
    let web01 = world.sandbox.machine_address("web01").unwrap().port();
    let web01 = ["web01", "--ip", "127.0.0.1", "--port", &web01.to_string()];
    world
        .command(&["config", "add"])
        .args(web01)
        .run()
        .succeeded();
    assert_eq!(world.json(&["config", "list"])[0]["route"], "direct");
    world.ssh(&["web01", "true"]).run().succeeded();
    assert_eq!(world.credentials_requests(), 0);
}

#[test]
fn an_address_alone_is_a_target_and_azure_is_not_asked_whose_it_is() {
    let (world, port) = signed_in(options_with(&["vm01"]));
    world.sandbox.clear_requests();
    for target in [
        &["vm", "--ip", "127.0.0.1"][..],
        &["ssh", "127.0.0.1"],
        &["vm", "--ip", "localhost"],
    ] {
        let output = world
            .command(target)
            .args(["--port", &port, "--"])
            .args(QUIET)
            .arg("exit 7")
            .run();
        output.ended_with(7);
    }
    // The address that is named for it goes first.
    world.add(&[
        NOBODY,
        "--ip",
        "127.0.0.1",
        "--port",
        &port,
        "--alias",
        "lab",
    ]);
    world.add(&["--ip", "127.0.0.1", "--port", &port]);
    let hosts = world.json(&["config", "list"]);
    for (host, alias) in [(&hosts[0], "lab"), (&hosts[1], "127.0.0.1")] {
        assert_eq!(host["host"], alias);
        assert_eq!(host["resource_id"], serde_json::Value::Null);
        assert_eq!([&host["route"], &host["address"]], ["direct", "127.0.0.1"]);
        let output = world.ssh(&[alias, "echo in"]).run();
        output.succeeded();
        assert_eq!(output.stdout, "in\n");
    }
    world.entra_ssh(&["ssh", "lab", "--", "true"]).succeeded();
    let without_choice = world.entra_ssh(&["config", "add", "127.0.0.1", "--prefer-private-ip"]);
    without_choice.ended_with(2);
    let of_no_group = world.entra_ssh(&["config", "add", "127.0.0.1", "-g", "rg-web"]);
    of_no_group.ended_with(2);
    let listed = world.entra_ssh(&["config", "list"]).stdout;
    assert!(
        listed.starts_with("lab        ada@contoso.example  127.0.0.1\n"),
        "{listed}"
    );
    let of_azure = world.requests(|row| row.service == sandbox::Service::Arm);
    assert!(of_azure.is_empty(), "{of_azure:#?}");
    // Its key is kept by the name that ssh itself would keep it by.
    let known = world.home().join(".ssh/entra-ssh/known_hosts");
    for host in ["127.0.0.1", "localhost"] {
        let looked_up = world
            .program("ssh-keygen")
            .arg("-F")
            .arg(format!("[{host}]:{port}"))
            .arg("-f")
            .arg(&known)
            .run();
        looked_up.succeeded();
    }
    assert_eq!(fs::read_to_string(known).unwrap().lines().count(), 2);
}

#[test]
fn several_machines_cannot_have_one_address() {
    let world = World::with(options_with(&["vm01"]));
    let refused = world.entra_ssh(&["config", "add", "vm01", "web01", "--ip", "127.0.0.1"]);
    refused.ended_with(2);
    assert_eq!(
        world.filtered(&refused),
        "error: several machines cannot have one address\nhint: add them one by one, each with its --ip\n"
    );
    for address in ["", "-x", "127.0.0.1:22", "a b"] {
        let address = format!("--ip={address}");
        let refused = world.entra_ssh(&["config", "add", "vm01", &address]);
        refused.ended_with(2);
    }
}

#[test]
fn azure_is_asked_once_however_many_connect() {
    let (world, port) = signed_in(options_with(&["vm01"]));
    world.add(&["vm01", "--port", &port]);
    world.ssh(&["vm01", "true"]).run().succeeded();
    world.stop_agent();
    world.sandbox.clear_requests();
    let running: Vec<_> = (0..10)
        .map(|_| world.ssh(&["vm01", "true"]).start())
        .collect();
    for each in running {
        each.finish().succeeded();
    }
    assert_eq!(address_requests(&world), [1; 3]);
    world.sandbox.clear_requests();
    for _ in 0..3 {
        world.ssh(&["vm01", "true"]).run().succeeded();
    }
    assert!(world.sandbox.requests().is_empty());
}

#[test]
fn a_vm_that_has_moved_is_found_and_one_that_was_stopped_is_told() {
    let (world, port) = signed_in(options_with(&["vm01"]));
    let (first, second) = ("127.0.0.2", "127.0.0.1");
    let leading = lead_from(&world, first, &port);
    world
        .sandbox
        .set_network("vm01", network(Some(first), NOBODY))
        .unwrap();
    world.add(&["vm01", "--port", &port]);
    world.ssh(&["vm01", "true"]).run().succeeded();
    world
        .sandbox
        .set_network("vm01", network(Some(second), NOBODY))
        .unwrap();
    world.sandbox.clear_requests();
    // While it is still reached where it was, nothing is asked.
    world.ssh(&["vm01", "true"]).run().succeeded();
    assert_eq!(address_requests(&world), [0; 3]);
    drop(leading);
    sleep(LEAST_LIFETIME);
    let output = world.ssh(&["vm01", "echo in"]).run();
    output.succeeded();
    assert_eq!(output.stdout, "in\n");
    assert_eq!(address_requests(&world), [1; 3]);

    let stopped = Network {
        public: PublicAddress::Unassigned,
        private: Some(NOBODY.parse().unwrap()),
        power_state: "deallocated".to_owned(),
    };
    world.sandbox.set_network("vm01", stopped).unwrap();
    world.sandbox.stop_machine("vm01").unwrap();
    sleep(LEAST_LIFETIME);
    let output = world.ssh(&["vm01", "true"]).run();
    output.ended_with(255);
    assert!(
        output.stderr.contains("error: `vm01` is deallocated\n"),
        "{output}"
    );
}

#[test]
fn an_address_that_has_fallen_silent_is_looked_up_anew_beside_it() {
    let (world, port) = signed_in(options_with(&["vm01"]));
    let (first, second) = ("127.0.0.3", "127.0.0.1");
    let leading = lead_from(&world, first, &port);
    world
        .sandbox
        .set_network("vm01", network(Some(first), NOBODY))
        .unwrap();
    world.add(&["vm01", "--port", &port]);
    world.ssh(&["vm01", "true"]).run().succeeded();
    let usual = world.ssh(&["vm01", "true"]).run().seconds;
    drop(leading);
    let _silent = fall_silent((first, port.parse().unwrap()));
    world
        .sandbox
        .set_network("vm01", network(Some(second), NOBODY))
        .unwrap();
    let output = world.ssh(&["vm01", "true"]).run();
    output.succeeded();
    // The silent one would be given up after ten seconds.
    let limits = 1.9..8.0 + 3.0 * usual;
    assert!(limits.contains(&output.seconds), "{output}: {limits:?}");
    let again = world.ssh(&["vm01", "true"]).run();
    again.succeeded();
    let limits = 0.0..1.9 + 3.0 * usual;
    assert!(limits.contains(&again.seconds), "{again}: {limits:?}");
}

#[test]
fn each_reason_for_no_connection_has_its_sentence_and_hint() {
    let (world, port) = signed_in(options_with(&["vm01"]));
    let id = world.machine("vm01");
    let to = |public: Option<&str>, private: &str| network(public, private);
    let off = |state: &str| Network {
        power_state: state.to_owned(),
        ..Network::default()
    };
    let start = format!("hint: start it: az vm start --ids {id}\n");
    for (network, told) in [
        (
            to(Some(NOBODY), "127.0.0.1"),
            format!(
                "error: `vm01` refuses connections at `{NOBODY}:{port}`\n\
                 hint: sshd does not run on it or listens on another port (--port); on the machine: sudo systemctl start ssh\n"
            ),
        ),
        // Nothing is sent there: it is the broadcast address.
        (
            to(Some("255.255.255.255"), "127.0.0.1"),
            format!(
                "error: cannot reach `vm01` at `255.255.255.255:{port}`\n\
                 caused by: Network is unreachable (os error 101)\n\
                 hint: let port {port} in from here: az network nsg rule create -g GROUP --nsg-name NSG -n ssh \
                 --priority 1000 --destination-port-ranges {port} --source-address-prefixes ADDRESS; or, within its network: \
                 --prefer-private-ip\n"
            ),
        ),
        (
            to(None, "255.255.255.255"),
            format!(
                "`vm01` has no public address; connecting to its private one, 255.255.255.255:{port}\n\
                 error: cannot reach `vm01` at `255.255.255.255:{port}`\n\
                 caused by: Network is unreachable (os error 101)\n\
                 hint: a private address is reached from its own network alone: connect to that first, or name an address \
                 that leads there: --ip ADDRESS\n"
            ),
        ),
        (
            Network {
                private: None,
                public: PublicAddress::Absent,
                ..Network::default()
            },
            "error: `vm01` has no address\n\
             hint: give it a network interface with one, or name one that leads to it: --ip ADDRESS\n"
                .to_owned(),
        ),
        (
            off("deallocated"),
            format!("error: `vm01` is deallocated\n{start}"),
        ),
        (off("stopped"), format!("error: `vm01` is stopped\n{start}")),
        (
            off("stopping"),
            format!("error: `vm01` is being stopped\n{start}"),
        ),
    ] {
        world.sandbox.set_network("vm01", network).unwrap();
        let output = proxy(&world, &port, &[]);
        output.ended_with(1);
        assert_eq!(output.stderr, told);
        assert_eq!(output.stdout, "");
    }
    // What Azure calls by a name that is not known here may well run.
    world.stop_agent();
    world.sandbox.set_network("vm01", off("hovering")).unwrap();
    world.add(&["vm01", "--port", &port]);
    world.ssh(&["vm01", "true"]).run().succeeded();

    let output = proxy(&world, &port, &["--ip", "vm01.invalid"]);
    output.ended_with(1);
    assert!(
        output.stderr.starts_with(&format!(
            "error: cannot reach `vm01` at `vm01.invalid:{port}`\ncaused by: "
        )),
        "{output}"
    );
    let hint = format!(
        "\nhint: check the address, and that the network security groups on the way let port {port} in\n"
    );
    assert!(output.stderr.ends_with(&hint), "{output}");
}

#[test]
fn a_network_that_may_not_be_read_is_told_with_the_way_around_it() {
    let (world, port) = signed_in(options_with(&["vm01"]));
    for kind in ["virtualMachines", "networkInterfaces", "publicIPAddresses"] {
        world.sandbox.clear_faults();
        let fault = Fault::arm(kind, 403, "AuthorizationFailed", "Not here.").times(0);
        world.sandbox.fault(fault);
        let output = proxy(&world, &port, &[]);
        output.ended_with(1);
        let lines: Vec<&str> = output.stderr.lines().collect();
        assert!(
            lines[0]
                .starts_with("error: Azure does not let this account look up the address of `vm01")
                && lines[0].ends_with("` (AuthorizationFailed): Not here."),
            "{output}"
        );
        assert_eq!(
            lines[1..],
            [
                "hint: ask for a role on the resource group, which its network is in, too; or name the VM's address: --ip ADDRESS"
            ]
        );
    }
    let output = world
        .command(&["ssh", "vm01", "--port", &port, "--ip", "127.0.0.1", "--"])
        .args(QUIET)
        .arg("true")
        .run();
    output.succeeded();
}

#[test]
fn an_address_that_is_silent_is_given_up_and_told_once_under_ssh() {
    let (world, _) = signed_in(options_with(&["vm01"]));
    let (listener, _filling) = fall_silent(("127.0.0.1", 0));
    let address = listener.local_addr().unwrap();
    world.add(&["vm01", "--port", &address.port().to_string()]);
    let output = world.ssh(&["vm01", "true"]).run();
    output.ended_with(255);
    let told = format!("error: `vm01` does not answer at `{address}` within 10 s\n");
    assert_eq!(output.stderr.matches(&told).count(), 1, "{output}");
    assert_eq!(output.stderr.matches("hint: ").count(), 1, "{output}");
    assert!(
        (9.0..10.0 + PROMPT).contains(&output.seconds),
        "{} s",
        output.seconds
    );
}

#[test]
fn a_direct_connection_goes_around_the_proxy_for_https() {
    let (world, port) = signed_in(options_with(&["vm01"]));
    world.add(&["vm01", "--port", &port]);
    world.stop_agent();
    // The proxy is nowhere; Entra and ARM are at `localhost`, and the VM is not.
    let output = world
        .ssh(&["vm01", "echo in"])
        .env("HTTPS_PROXY", "http://127.0.0.1:1")
        .env("ALL_PROXY", "http://127.0.0.1:1")
        .env("NO_PROXY", "localhost")
        .run();
    output.succeeded();
    assert_eq!(output.stdout, "in\n");
}
