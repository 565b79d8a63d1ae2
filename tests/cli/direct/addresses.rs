//! Which address of a VM is connected to: by name, by flag, public or private, and after it has moved.

use std::fs;
use std::net::TcpStream;
use std::thread::sleep;
use std::time::Duration;

use sandbox::{Network, PublicAddress};

use super::{NOBODY, address_requests, fall_silent, network, signed_in};
use crate::world::{LIMIT, Running, World, options_with, wait_for};

/// How long the agent looks nothing up again, whatever has become of it.
const LEAST_LIFETIME: Duration = Duration::from_secs(2);

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
        let arguments = [target, &["--port", &port]].concat();
        world.connect(&arguments, "exit 7").run().ended_with(7);
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
    let output = world.ssh("vm01", "echo in");
    output.succeeded();
    let said =
        format!("`vm01` has no public address; connecting to its private one, 127.0.0.1:{port}\n");
    assert!(output.stderr.contains(&said), "{output}");
    // Whoever wants it so need not be told.
    world.add(&["vm01", "--port", &port, "--prefer-private-ip"]);
    let output = world.ssh("vm01", "echo in");
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
    world.ssh("vm01", "true").succeeded();
}

#[test]
fn the_private_address_and_a_named_one_are_taken_before_the_public_one() {
    let (world, port) = signed_in(options_with(&["vm01", "web01"]));
    world
        .sandbox
        .set_network("vm01", network(Some(NOBODY), "127.0.0.1"))
        .unwrap();
    let log_in = |arguments: &[&str]| {
        let arguments = [&["ssh"], arguments].concat();
        world.connect(&arguments, "echo in").run()
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
    let web01 = world.port("web01");
    let web01 = ["web01", "--ip", "127.0.0.1", "--port", &web01];
    world
        .command(&["config", "add"])
        .args(web01)
        .run()
        .succeeded();
    assert_eq!(world.json(&["config", "list"])[0]["route"], "direct");
    world.ssh("web01", "true").succeeded();
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
        let arguments = [target, &["--port", &port]].concat();
        world.connect(&arguments, "exit 7").run().ended_with(7);
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
        world.ssh(alias, "echo in").printed("in\n");
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
    world.assert_refused(
        &["config", "add", "vm01", "web01", "--ip", "127.0.0.1"],
        2,
        "error: several machines cannot have one address\nhint: add them one by one, each with its --ip\n",
    );
    for address in ["", "-x", "127.0.0.1:22", "a b"] {
        let address = format!("--ip={address}");
        let refused = world.entra_ssh(&["config", "add", "vm01", &address]);
        refused.ended_with(2);
    }
}

/// Adds `vm01` as a host, reached at an address that leads to it for as long as the returned process runs.
fn managed_vm_at(world: &World, address: &str, port: &str) -> Running {
    let leading = lead_from(world, address, port);
    world
        .sandbox
        .set_network("vm01", network(Some(address), NOBODY))
        .unwrap();
    world.add(&["vm01", "--port", port]);
    world.ssh("vm01", "true").succeeded();
    leading
}

#[test]
fn a_vm_that_has_moved_is_found_and_one_that_was_stopped_is_told() {
    let (world, port) = signed_in(options_with(&["vm01"]));
    let (first, second) = ("127.0.0.2", "127.0.0.1");
    let leading = managed_vm_at(&world, first, &port);
    world
        .sandbox
        .set_network("vm01", network(Some(second), NOBODY))
        .unwrap();
    world.sandbox.clear_requests();
    // While it is still reached where it was, nothing is asked.
    world.ssh("vm01", "true").succeeded();
    assert_eq!(address_requests(&world), [0; 3]);
    drop(leading);
    sleep(LEAST_LIFETIME);
    world.ssh("vm01", "echo in").printed("in\n");
    assert_eq!(address_requests(&world), [1; 3]);

    let stopped = Network {
        public: PublicAddress::Unassigned,
        private: Some(NOBODY.parse().unwrap()),
        power_state: "deallocated".to_owned(),
    };
    world.sandbox.set_network("vm01", stopped).unwrap();
    world.sandbox.stop_machine("vm01").unwrap();
    sleep(LEAST_LIFETIME);
    let output = world.ssh("vm01", "true");
    output.ended_with(255);
    assert_eq!(output.error(), "`vm01` is deallocated");
}

#[test]
fn an_address_that_has_fallen_silent_is_looked_up_anew_beside_it() {
    let (world, port) = signed_in(options_with(&["vm01"]));
    let (first, second) = ("127.0.0.3", "127.0.0.1");
    let leading = managed_vm_at(&world, first, &port);
    let usual = world.ssh("vm01", "true").seconds;
    drop(leading);
    let _silent = fall_silent((first, port.parse().unwrap()));
    world
        .sandbox
        .set_network("vm01", network(Some(second), NOBODY))
        .unwrap();
    let output = world.ssh("vm01", "true");
    output.succeeded();
    // The silent one would be given up after ten seconds.
    let limits = 1.9..8.0 + 3.0 * usual;
    assert!(limits.contains(&output.seconds), "{output}: {limits:?}");
    let again = world.ssh("vm01", "true");
    again.succeeded();
    let limits = 0.0..1.9 + 3.0 * usual;
    assert!(limits.contains(&again.seconds), "{again}: {limits:?}");
}
