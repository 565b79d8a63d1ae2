//! Machines that sleep, clocks that jump, networks that go away.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use sandbox::{Fault, Options};

use crate::world::{ADA, Clock, Process, Running, World, options_with, wait_for};

/// How long a certificate lasts, in seconds.
const LIFE: u64 = 200;
/// When it is over, in seconds. Certificates are dated back by 300, so that the machine takes the next one, too.
const PAST_ITS_END: i64 = 250;

/// A user who has logged in to a machine once, with an agent whose clock can be set.
fn logged_in() -> (World, AnotherClock) {
    let world = signed_in(LIFE);
    let clock = AnotherClock::start_agent(&world);
    world.ssh("web01", "true").succeeded();
    (world, clock)
}

/// A user who is signed in to a cloud whose certificates last so many seconds.
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
    let (world, clock) = logged_in();
    let (first, agent) = (key(&world), world.agents().remove(0));
    agent.signal(Signal::STOP);
    clock.set(&world, PAST_ITS_END);
    // This one comes while it still sleeps, and waits.
    let mut early = world.ssh_command(&["web01", "true"]).start();
    early.wait_until("the proxy", |_| {
        world
            .processes()
            .iter()
            .any(Process::is_proxy)
            .then_some(())
    });
    let woken = Instant::now();
    agent.signal(Signal::CONT);
    early.finish().succeeded();
    println!("after waking: {:.1} s", woken.elapsed().as_secs_f64());
    assert_ne!(key(&world), first);
    world.ssh("web01", "true").succeeded();
    let agents = world.agents();
    assert_eq!(agents.len(), 1);
    assert_eq!(agents[0].id, agent.id, "nobody has started another");
    clock.end(&world);
}

#[test]
fn a_network_that_comes_back_after_the_end_of_the_certificate_is_used_at_once() {
    let (world, clock) = logged_in();
    let first = key(&world);
    world.sandbox.fault(Fault::Outage.times(0));
    world.ssh("web01", "true").succeeded();
    assert_eq!(key(&world), first, "the old one serves");
    clock.set(&world, PAST_ITS_END);
    world.sandbox.fault(Fault::Outage.times(0));
    let refused = world.ssh("web01", "true");
    assert_ne!(refused.status, 0);
    assert_eq!(refused.error(), "cannot request a token from Entra");
    clock.set(&world, PAST_ITS_END);
    let asked = world.certificate_requests();
    world.ssh("web01", "true").succeeded();
    assert_eq!(world.certificate_requests(), asked + 1);
    clock.end(&world);
}

/// An agent whose clock is not that of the machine, while the time that passes is.
struct AnotherClock {
    clock: Clock,
    agent: Running,
}

impl AnotherClock {
    fn start_agent(world: &World) -> Self {
        let clock = Clock::new(world);
        let agent = clock.start_agent(world);
        Self { clock, agent }
    }

    /// Sets the agent's clock, and that of Entra where that is not the machine's.
    fn set(&self, world: &World, seconds: i64) {
        self.clock.set_with_entra(world, seconds);
    }

    fn end(self, world: &World) {
        world.entra_ssh(&["agent", "stop"]).succeeded();
        self.agent.finish().succeeded();
    }
}

#[test]
fn a_clock_that_jumps_ahead_and_back_keeps_nobody_out() {
    let (world, clock) = logged_in();
    let asked = world.certificate_requests();
    world.ssh("web01", "true").succeeded();
    assert_eq!(world.certificate_requests(), asked);
    clock.set(&world, PAST_ITS_END);
    world.ssh("web01", "true").succeeded();
    assert_eq!(world.certificate_requests(), asked + 1, "it was over");
    clock.set(&world, 0);
    world.ssh("web01", "true").succeeded();
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
