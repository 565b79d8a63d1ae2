//! Refusals of the relay: what the user reads, and which of them entra-ssh retries.

use sandbox::Fault;

use super::proxy;
use crate::world::{PROMPT, World, options_with};

fn relay_refuses(status: u16, text: &str) -> Fault {
    Fault::RelayRefuse {
        status,
        text: text.to_owned(),
    }
}

#[test]
fn each_refusal_of_the_relay_has_its_sentence_and_hint() {
    let world = World::signed_in(options_with(&["web01"]));
    for (fault, expected) in [
        (
            relay_refuses(404, "Endpoint does not exist"),
            "error: the relay refused the connection: 404 Endpoint does not exist\n\
             hint: wait up to 90 s after the first set-up; then run on the machine: sudo systemctl restart himds\n",
        ),
        (
            relay_refuses(404, "There are no listeners connected for the endpoint"),
            "error: the relay refused the connection: 404 There are no listeners connected for the endpoint\n\
             hint: start the machine, or restart its Azure agent there: sudo systemctl restart himds\n",
        ),
        (
            relay_refuses(503, "Service Unavailable"),
            "error: the relay refused the connection: 503 Service Unavailable\n\
             hint: connect again in a moment; the relay or the machine is busy\n",
        ),
        (
            Fault::RelayGarbage,
            "error: `127.0.0.1:[PORT]` does not speak the relay's protocol: its answer is not HTTP\n\
             hint: check that the proxy passes WebSockets on\n",
        ),
        (
            Fault::RelayWrongAccept,
            "error: `127.0.0.1:[PORT]` does not speak the relay's protocol: its handshake is for another key\n\
             hint: check that the proxy passes WebSockets on\n",
        ),
    ] {
        world.sandbox.clear_faults();
        world.sandbox.fault(fault.times(0));
        let output = proxy(&world, "web01");
        world.assert_told(&output, 1, expected);
        assert_eq!(output.stdout, "", "nothing but relayed bytes goes there");
    }
    // And through ssh, which ends in its own way.
    for ssh in [world.connect(&["ssh", "web01"], "true"), {
        world.add(&["web01"]);
        world.ssh_command(&["web01", "true"])
    }] {
        world.sandbox.clear_faults();
        world
            .sandbox
            .fault(relay_refuses(404, "Endpoint does not exist").times(0));
        let output = ssh.run();
        output.ended_with(255);
        assert_eq!(
            output.error(),
            "the relay refused the connection: 404 Endpoint does not exist"
        );
        assert_ne!(output.hint(), "");
    }
}

#[test]
fn a_hybrid_connection_that_is_not_there_is_looked_up_anew_once() {
    let world = World::with_host("web01");
    world.ssh("web01", "true").succeeded();
    world.sandbox.clear_requests();
    world
        .sandbox
        .fault(relay_refuses(404, "Endpoint does not exist"));
    world.ssh("web01", "true").succeeded();
    assert_eq!(world.credentials_requests(), 1);
    assert!(world.requests(|row| row.method == "PUT").is_empty());
}

#[test]
fn an_agent_that_is_down_is_told_from_an_sshd_that_is_down() {
    let world = World::signed_in(options_with(&["web01", "web02", "lonely01"]));
    for name in ["lonely01", "web01"] {
        world.sandbox.stop_agent(name).unwrap();
        let output = proxy(&world, name);
        world.assert_told(
            &output,
            1,
            "error: the relay refused the connection: 404 There are no listeners connected for the endpoint\n\
             hint: start the machine, or restart its Azure agent there: sudo systemctl restart himds\n",
        );
    }
    world.sandbox.start_agent("web01").unwrap();
    world.connect(&["ssh", "web01"], "true").run().succeeded();

    world.sandbox.stop_machine("web02").unwrap();
    let output = proxy(&world, "web02");
    output.ended_with(1);
    let said = world.filtered(&output);
    assert!(
        said.starts_with(
            "error: the relay refused the connection: 503 connection to localhost:[PORT] failed: "
        ),
        "{output}"
    );
    assert!(
        said.ends_with(
            "\nhint: check the port of sshd (--port), or start it on the machine: sudo systemctl start ssh\n"
        ),
        "{output}"
    );
    assert_eq!(said.lines().count(), 2, "{output}");
}

#[test]
fn credentials_that_the_relay_refuses_once_are_fetched_anew() {
    let world = World::with_host("web01");
    world.ssh("web01", "true").succeeded();
    for status in [401, 403] {
        world.sandbox.clear_requests();
        world.sandbox.fault(relay_refuses(
            status,
            "InvalidSignature: The token has an invalid signature.",
        ));
        world.ssh("web01", "true").succeeded();
        assert_eq!(world.credentials_requests(), 1, "{status}");
    }
    for status in [401, 403] {
        world.sandbox.clear_faults();
        world.sandbox.clear_requests();
        world.sandbox.fault(
            relay_refuses(
                status,
                "InvalidSignature: The token has an invalid signature.",
            )
            .times(0),
        );
        let output = proxy(&world, "web01");
        world.assert_told(
            &output,
            1,
            &format!(
                "error: the relay refused the connection: {status} InvalidSignature: The token has an invalid signature.\n\
                 hint: connect again; if it stays so, check this machine's clock and the firewall of the relay\n"
            ),
        );
        assert_eq!(world.credentials_requests(), 1, "{status}");
    }
}

#[test]
fn a_listener_that_is_slow_once_is_asked_again() {
    let world = World::with_host("web01");
    world
        .sandbox
        .fault(relay_refuses(504, "the listener did not respond in time"));
    world.sandbox.fault(Fault::RelayReset);
    world.ssh("web01", "true");
    world.sandbox.clear_faults();
    world
        .sandbox
        .fault(relay_refuses(504, "the listener did not respond in time"));
    world.ssh("web01", "true").succeeded();
}

#[test]
fn a_handshake_that_stalls_gets_another_beside_it() {
    let world = World::with_host("web01");
    let usual = world.ssh("web01", "true").seconds;
    world.sandbox.fault(Fault::RelayStall { after_bytes: None });
    let output = world.ssh("web01", "true");
    output.succeeded();
    // The one that stalls would be given up after ten seconds.
    let limits = 1.9..9.0 + 3.0 * usual;
    assert!(limits.contains(&output.seconds), "{output}: {limits:?}");
}

#[test]
fn handshakes_that_stall_are_given_up_and_made_anew() {
    let world = World::with_host("web01");
    world
        .sandbox
        .fault(Fault::RelayStall { after_bytes: None }.times(2));
    let output = world.ssh("web01", "true");
    output.succeeded();
    assert!(
        (9.0..25.0 + PROMPT).contains(&output.seconds),
        "{} s",
        output.seconds
    );
}

#[test]
fn a_listener_that_stays_slow_is_not_asked_for_ever_nor_all_the_time() {
    let world = World::signed_in(options_with(&["web01"]));
    world.sandbox.clear_requests();
    world
        .sandbox
        .fault(relay_refuses(504, "the listener did not respond in time").times(0));
    let output = proxy(&world, "web01");
    world.assert_told(
        &output,
        1,
        "error: the relay refused the connection: 504 the listener did not respond in time\n\
         hint: connect again in a moment; the relay or the machine is busy\n",
    );
    assert!(output.seconds < 30.0 + PROMPT, "{} s", output.seconds);
    let tries = world
        .requests(|row| row.service == sandbox::Service::Relay)
        .len();
    assert!(
        (2..=60).contains(&tries),
        "{tries} tries in {} s",
        output.seconds
    );
}

#[test]
fn a_connection_that_breaks_ends_and_says_why() {
    let world = World::with_host("web01");
    world.ssh("web01", "true").succeeded();
    world.sandbox.fault(Fault::RelayClose {
        after_bytes: 8192,
        code: 1011,
        reason: String::new(),
    });
    let output = world.ssh("web01", "sleep 1; head -c 100000 /dev/zero");
    output.ended_with(255);
    assert_eq!(
        output.error(),
        "the relay closed the connection: the relay service failed (close code 1011)"
    );
    assert!(output.seconds < PROMPT, "{} s", output.seconds);
}
