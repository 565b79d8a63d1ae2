//! Clocks that tests set, by `faketime`, so that nobody waits for an hour to pass.

use std::fs;
use std::path::PathBuf;

use sandbox::Fault;

use super::{Invocation, LIMIT, Running, World, wait_for};

/// A clock that runs beside the machine's, for the programs that go by it.
pub(crate) struct Clock {
    library: String,
    offset: PathBuf,
}

impl Clock {
    /// Returns a clock that shows the machine's time.
    pub(crate) fn new(world: &World) -> Self {
        let library = world
            .program("faketime")
            .args(["-f", "+0s", "printenv", "LD_PRELOAD"])
            .run();
        library.succeeded();
        let clock = Self {
            library: library.stdout.trim().to_owned(),
            offset: world.root().join("offset"),
        };
        clock.set(0);
        clock
    }

    /// Lets a program, and what it starts, go by this clock: the time of day jumps, and so does the time that passes.
    pub(crate) fn drive(&self, invocation: Invocation) -> Invocation {
        invocation
            .env("LD_PRELOAD", &self.library)
            .env("FAKETIME_TIMESTAMP_FILE", &self.offset)
            .env("FAKETIME_NO_CACHE", "1")
            .env("NO_FAKE_STAT", "1")
    }

    /// Starts our agent, with the time of day of this clock. As while a machine sleeps, the time that passes does not jump.
    pub(crate) fn start_agent(&self, world: &World) -> Running {
        world.stop_agent();
        // Named, so that it is found as this world's by whoever may not read its environment.
        let agent = world.command(&["agent", "run", "--agent-socket"]);
        let agent = self
            .drive(agent.arg(world.socket()).limit(2 * LIMIT))
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .start();
        wait_for("the agent", || world.socket().exists());
        agent
    }

    /// Sets the clock this many seconds ahead of the machine's.
    pub(crate) fn set(&self, seconds: i64) {
        let beside = self.offset.with_extension("new");
        fs::write(&beside, format!("{seconds:+}\n")).unwrap();
        fs::rename(&beside, &self.offset).unwrap();
    }

    /// Sets the clock, and that of Entra.
    pub(crate) fn set_with_entra(&self, world: &World, seconds: i64) {
        self.set(seconds);
        world.sandbox.clear_faults();
        let clock = Fault::Clock {
            offset_seconds: seconds,
            certificates: true,
        };
        world.sandbox.fault(clock.times(0));
    }
}
