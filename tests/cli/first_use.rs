//! The first use of a machine, which has to be set up and takes its time until it listens.

use std::time::Duration;

use sandbox::{Options, Service};

use crate::world::{Clock, Running, World, options_with, wait_for};

/// A first login to a machine that was set up and does not listen, and the clock that it goes by.
struct FirstLogin {
    world: World,
    clock: Clock,
    session: Running,
}

impl FirstLogin {
    /// Logs in, and returns once the connection waits for the machine.
    fn start() -> Self {
        let world = World::signed_in(Options {
            agent_delay: Duration::from_secs(3600),
            ..options_with(&["new01"])
        });
        world.add(&["new01"]);
        let clock = Clock::new(&world);
        let ssh = world.ssh_command(&["new01", "echo in"]);
        let mut session = clock.drive(ssh).start();
        session.wait_until("the connection to wait", |session| {
            session
                .stderr()
                .starts_with("`new01` was set up just now; waiting up to 90 s until it listens\n")
                .then_some(())
        });
        Self {
            world,
            clock,
            session,
        }
    }

    fn tries(&self) -> usize {
        let is_try = |row: &sandbox::RequestRow| row.service == Service::Relay;
        self.world.requests(is_try).len()
    }

    /// Lets so many seconds pass since the start, and returns once the connection was tried again, twice: the first try may
    /// have begun before.
    fn pass(&self, seconds: i64) {
        self.clock.set(seconds);
        let before = self.tries();
        wait_for("another try", || self.tries() >= before + 2);
    }
}

#[test]
fn a_machine_is_waited_for_as_long_as_the_first_set_up_may_take() {
    let login = FirstLogin::start();
    login.pass(60);
    login.world.sandbox.start_agent("new01").unwrap();
    login.session.finish().printed("in\n");
}

#[test]
fn a_machine_that_never_listens_is_given_up_after_ninety_seconds() {
    let login = FirstLogin::start();
    login.pass(60);
    login.clock.set(91);
    let first = login.session.finish();
    first.ended_with(255);
    assert_eq!(
        first.error(),
        "the relay refused the connection: 404 Endpoint does not exist"
    );
    assert_eq!(
        first.hint(),
        "wait up to 90 s after the first set-up; then run on the machine: sudo systemctl restart himds"
    );
}
