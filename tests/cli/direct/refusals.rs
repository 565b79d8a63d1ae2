//! What the user reads when a VM cannot be reached directly.

use sandbox::{Fault, Network, PublicAddress};

use super::{NOBODY, fall_silent, network, proxy, signed_in};
use crate::world::{PROMPT, options_with};

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
                 hint: check the port of sshd (--port), or start it on the machine: sudo systemctl start ssh\n"
            ),
        ),
        // Nothing is sent there: it is the broadcast address.
        (
            to(Some("255.255.255.255"), "127.0.0.1"),
            format!(
                "error: cannot reach `vm01` at `255.255.255.255:{port}`\n\
                 caused by: Network is unreachable (os error 101)\n\
                 hint: allow port {port} from here: az network nsg rule create -g GROUP --nsg-name NSG -n ssh \
                 --priority 1000 --destination-port-ranges {port} --source-address-prefixes ADDRESS; or, from within its network, use --prefer-private-ip\n"
            ),
        ),
        (
            to(None, "255.255.255.255"),
            format!(
                "`vm01` has no public address; connecting to its private one, 255.255.255.255:{port}\n\
                 error: cannot reach `vm01` at `255.255.255.255:{port}`\n\
                 caused by: Network is unreachable (os error 101)\n\
                 hint: connect to the network of the private address first, or give an address that is reachable from here: --ip ADDRESS\n"
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
    world.ssh("vm01", "true").succeeded();

    let output = proxy(&world, &port, &["--ip", "vm01.invalid"]);
    output.ended_with(1);
    assert_eq!(
        output.error(),
        format!("cannot reach `vm01` at `vm01.invalid:{port}`")
    );
    assert!(!output.causes().is_empty(), "{output}");
    let hint = format!(
        "\nhint: check the address, and that the network security groups allow port {port}\n"
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
                "hint: ask for a role on the resource group of its network, too; or give the VM's address: --ip ADDRESS"
            ]
        );
    }
    let arguments = ["ssh", "vm01", "--port", &port, "--ip", "127.0.0.1"];
    world.connect(&arguments, "true").run().succeeded();
}

#[test]
fn an_address_that_is_silent_is_given_up_and_told_once_under_ssh() {
    let (world, _) = signed_in(options_with(&["vm01"]));
    let (listener, _filling) = fall_silent(("127.0.0.1", 0));
    let address = listener.local_addr().unwrap();
    world.add(&["vm01", "--port", &address.port().to_string()]);
    let output = world.ssh("vm01", "true");
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
