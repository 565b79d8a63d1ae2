//! The first use of a machine, which has to be set up and takes its time until it listens.

use std::time::{Duration, Instant};

use sandbox::Options;

use crate::world::{Output, World, options_with};

/// Logs in to a machine that listens so long after it was set up; returns how that went, and how many seconds it took.
fn log_in_to_what_listens_after(delay: Duration) -> (Output, u64) {
    let world = World::signed_in(Options {
        agent_delay: delay,
        ..options_with(&["new01"])
    });
    world.add(&["new01"]);
    let begun = Instant::now();
    let session = world.ssh_command(&["new01", "echo in"]);
    let output = session.run();
    (output, begun.elapsed().as_secs())
}

#[test]
fn a_machine_is_waited_for_as_long_as_the_first_set_up_may_take() {
    let (first, took) = log_in_to_what_listens_after(Duration::from_secs(60));
    first.printed("in\n");
    assert!(took >= 60, "{took}");
    assert_eq!(
        first.stderr.lines().next(),
        Some("`new01` was set up just now; waiting up to 90 s until it listens")
    );
}

#[test]
fn a_machine_that_never_listens_is_given_up_after_ninety_seconds() {
    let (first, took) = log_in_to_what_listens_after(Duration::from_secs(3600));
    first.ended_with(255);
    assert!((90..180).contains(&took), "{took}");
    let told = "error: the relay refused the connection: 404 Endpoint does not exist";
    assert!(first.stderr.contains(told), "{first}");
    let hint = "hint: the machine does not listen yet: after the first set-up it takes up to 90 s; then, on the machine: sudo systemctl restart himds";
    assert!(first.stderr.contains(hint), "{first}");
}
