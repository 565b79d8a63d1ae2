//! What does not keep the user from logging in, and what does not keep the user waiting: disks that are full, servers that are
//! busy, an agent that is stopped.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use rustix::process::Signal;
use sandbox::Fault;

use crate::world::{World, options_with, wait_for};

/// Has the keyring's folder refuse what is written to it, and give what is in it, as on a disk that is full.
fn let_write(world: &World, is_allowed: bool) {
    // Root may write anywhere; that others may, too, is refused by us.
    let mode = if is_allowed { 0o700 } else { 0o777 };
    fs::set_permissions(world.keyring_folder(), fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn what_cannot_be_stored_is_held_in_memory_and_stored_later() {
    let world = World::with_host("web01");
    world.forget_certificates();
    let_write(&world, false);
    let output = world.ssh("web01", "true");
    output.succeeded();
    for what in ["the certificate", "the renewed sign-in"] {
        let warning = format!("warning: {what} is held in the agent's memory only: cannot use `");
        assert!(output.stderr.contains(&warning), "{output}");
        for command in [&["agent", "status"][..], &["why"]] {
            let output = world.entra_ssh(command);
            output.succeeded();
            assert!(output.stderr.contains(&warning), "{output}");
        }
    }
    // It goes on with what it holds.
    world.json(&["rotate", "--force"]);
    world.ssh("web01", "true").succeeded();
    assert!(world.keyring_files().iter().all(|(kind, _)| *kind != 3));
    let_write(&world, true);
    world.json(&["rotate", "--force"]);
    assert!(world.keyring_files().iter().any(|(kind, _)| *kind == 3));
    let output = world.ssh("web01", "true");
    output.succeeded();
    assert!(!output.stderr.contains("warning: the"), "{output}");
    // What was stored last is what the next agent goes on with.
    world.stop_agent();
    world.json(&["rotate", "--force"]);
}

#[test]
fn an_agent_that_is_stopped_is_told_within_seconds_with_the_way_to_let_it_go_on() {
    let world = World::with_host("web01");
    let agent = world.agents().remove(0);
    agent.signal(Signal::STOP);
    let output = world.entra_ssh(&["rotate"]);
    output.ended_with(1);
    let id = agent.id;
    let expected = format!(
        "the agent, process {id}, is stopped\nhint: let it go on: kill -CONT {id}; or end it, and it is started again: kill \
         -KILL {id}\n"
    );
    assert!(output.stderr.contains(&expected), "{output}");
    assert!(output.seconds < 30.0, "{} s", output.seconds);
    let refused = world.ssh("web01", "true");
    refused.ended_with(255);
    assert!(refused.stderr.contains(&expected), "{refused}");
    agent.signal(Signal::CONT);
    world.ssh("web01", "true").succeeded();
}

/// Returns a refusal of ARM's that asks to wait.
fn busy(seconds: u64) -> Fault {
    Fault::Arm {
        path: "resourcegraph".to_owned(),
        method: None,
        status: 429,
        code: "TooManyRequests".to_owned(),
        message: "busy".to_owned(),
        retry_after: Some(seconds),
    }
}

#[test]
fn a_longer_wait_than_there_is_time_for_is_told_at_once_and_a_shorter_one_is_waited_for() {
    let world = World::signed_in(options_with(&["web01"]));
    world.json(&["rotate"]);
    let add = || world.entra_ssh(&["config", "add", "web01"]);
    world.sandbox.fault(busy(120).times(0));
    let output = add();
    output.ended_with(1);
    let told = world.filtered(&output);
    assert!(
        told.contains(
            "error: `localhost:[PORT]` is busy (HTTP status 429) and asks to wait 2 min\nhint: try again in 2 min\n"
        ),
        "{told}"
    );
    assert!(output.seconds < 20.0, "{} s", output.seconds);
    world.sandbox.clear_faults();
    world.sandbox.fault(busy(4).times(1));
    let add = world.command(&["config", "add", "web01"]).start();
    let waiting = || {
        let status = world.entra_ssh(&["agent", "status"]);
        status.stderr.contains("is busy and asks to wait 4 s")
    };
    wait_for("the agent to say what it waits for", waiting);
    let output = add.finish();
    output.succeeded();
    assert!(output.seconds >= 4.0, "{} s", output.seconds);
}

#[test]
fn entra_is_not_waited_for_longer_than_there_is_time() {
    let world = World::signed_in(options_with(&[]));
    world.sandbox.clear_requests();
    world.sandbox.fault(
        Fault::Gateway {
            path: "/token".to_owned(),
            status: 429,
            retry_after: Some(300),
        }
        .times(0),
    );
    let output = world.entra_ssh(&["cert"]);
    output.ended_with(1);
    let told = world.filtered(&output);
    assert!(
        told.contains(
            "is busy (HTTP status 429) and asks to wait 5 min\nhint: try again in 5 min\n"
        ),
        "{told}"
    );
    assert_eq!(world.token_requests(), 1, "it is not asked again meanwhile");
    assert!(output.seconds < 20.0, "{} s", output.seconds);
}
