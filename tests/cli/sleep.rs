//! Machines that sleep, clocks that jump, networks that go away.

use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use sandbox::{Fault, Options};

use crate::world::{ADA, Running, World, options_with, wait_for};

/// Somebody who is signed in to a cloud whose certificates last so many seconds, and has logged in to a machine once.
fn logged_in(seconds: u64) -> World {
    let world = signed_in(seconds);
    world.ssh(&["web01", "true"]).run().succeeded();
    world
}

fn signed_in(seconds: u64) -> World {
    let world = World::with(Options {
        certificate_lifetime: Duration::from_secs(seconds),
        ..options_with(&["web01"])
    });
    world.login_as(ADA, &["--key-size", "2048"]);
    world.add(&["web01"]);
    world
}

/// Returns the fingerprint of the certified key: each certificate has one of its own, and no serial number.
fn key(world: &World) -> String {
    world.json(&["cert", "show"])["public_key_fingerprint"].to_string()
}

#[test]
fn an_agent_that_slept_past_the_end_of_its_certificate_renews_for_the_next_ssh() {
    let world = logged_in(12);
    let (first, agent) = (key(&world), world.agents().remove(0));
    agent.signal(Signal::STOP);
    thread::sleep(Duration::from_secs(13));
    // This one comes while it still sleeps, and waits.
    let early = world.ssh(&["web01", "true"]).start();
    thread::sleep(Duration::from_millis(500));
    let woken = Instant::now();
    agent.signal(Signal::CONT);
    early.finish().succeeded();
    println!("after waking: {:.1} s", woken.elapsed().as_secs_f64());
    assert_ne!(key(&world), first);
    world.ssh(&["web01", "true"]).run().succeeded();
    let agents = world.agents();
    assert_eq!(agents.len(), 1);
    assert_eq!(agents[0].id, agent.id, "nobody has started another");
}

#[test]
fn a_network_that_comes_back_after_the_end_of_the_certificate_is_used_at_once() {
    let world = logged_in(12);
    let first = key(&world);
    world.sandbox.fault(Fault::Outage.times(0));
    world.ssh(&["web01", "true"]).run().succeeded();
    assert_eq!(key(&world), first, "the old one serves");
    thread::sleep(Duration::from_secs(13));
    let refused = world.ssh(&["web01", "true"]).run();
    assert_ne!(refused.status, 0);
    assert!(
        refused.stderr.contains("cannot ask Entra for a token"),
        "{refused}"
    );
    assert!(refused.seconds < 20.0, "{refused}");
    world.sandbox.clear_faults();
    let asked = world.certificate_requests();
    world.ssh(&["web01", "true"]).run().succeeded();
    assert_eq!(world.certificate_requests(), asked + 1);
}

/// An agent whose clock is not that of the machine, while the time that passes is.
struct AnotherClock {
    offset: PathBuf,
    agent: Running,
}

impl AnotherClock {
    fn start_agent(world: &World) -> Self {
        world.stop_agent();
        let preload = world
            .program("faketime")
            .args(["-f", "+0s", "printenv", "LD_PRELOAD"])
            .run();
        preload.succeeded();
        let offset = world.root().join("offset");
        fs::write(&offset, "+0\n").unwrap();
        let agent = world
            .command(&["agent", "run"])
            .limit(Duration::from_secs(120))
            .env("LD_PRELOAD", preload.stdout.trim())
            .env("FAKETIME_TIMESTAMP_FILE", &offset)
            .env("FAKETIME_NO_CACHE", "1")
            // As while a machine sleeps: the clock goes on, and the time that passes for a process does not.
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .env("NO_FAKE_STAT", "1")
            .start();
        wait_for("the agent", || world.socket().exists());
        Self { offset, agent }
    }

    /// Sets its clock, and that of Entra where that is not the machine's.
    fn set(&self, world: &World, seconds: i64) {
        let beside = self.offset.with_extension("new");
        fs::write(&beside, format!("{seconds:+}\n")).unwrap();
        fs::rename(&beside, &self.offset).unwrap();
        world.sandbox.clear_faults();
        world.sandbox.fault(
            Fault::Clock {
                offset_seconds: seconds,
                certificates: true,
            }
            .times(0),
        );
    }

    fn end(self, world: &World) {
        world.entra_ssh(&["agent", "stop"]).succeeded();
        self.agent.finish().succeeded();
    }
}

#[test]
fn a_clock_that_jumps_ahead_and_back_keeps_nobody_out() {
    let world = signed_in(40);
    let clock = AnotherClock::start_agent(&world);
    world.ssh(&["web01", "true"]).run().succeeded();
    let asked = world.certificate_requests();
    world.ssh(&["web01", "true"]).run().succeeded();
    assert_eq!(world.certificate_requests(), asked);
    // As far as a certificate is dated back, so that the machine takes the next one, too.
    clock.set(&world, 50);
    world.ssh(&["web01", "true"]).run().succeeded();
    assert_eq!(world.certificate_requests(), asked + 1, "it was over");
    clock.set(&world, 0);
    world.ssh(&["web01", "true"]).run().succeeded();
    assert_eq!(world.certificate_requests(), asked + 1, "it is not over");
    clock.end(&world);
}

#[test]
fn what_a_person_had_to_mend_is_tried_again_after_a_sleep() {
    let world = signed_in(150);
    let clock = AnotherClock::start_agent(&world);
    world.json(&["rotate"]);
    let refusal = Fault::token(50078, "interaction_required", "Presented MFA has expired.");
    world.sandbox.fault(refusal.times(1));
    world.entra_ssh(&["rotate", "--force"]).ended_with(4);
    let asked = world.certificate_requests();
    // It would rest for ten minutes.
    let first = world.ssh_add("-l").stdout;
    assert!(first.contains("not renewed: "), "{first}");
    clock.set(&world, 125);
    wait_for("a renewal that nobody waits for", || {
        world.certificate_requests() > asked
    });
    clock.end(&world);
}
