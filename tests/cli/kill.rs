//! The agent is killed at whatever it does, and the next `ssh` works.

use std::thread;
use std::time::Duration;

use crate::agent::signed_in_with_agent;
use crate::world::{World, files_below, wait_for};

/// How often it is killed.
const KILLS: u32 = 12;

/// Kills the agent at one moment after another of what `meanwhile` has it do.
fn kill_at_each_moment(span: Duration, meanwhile: impl Fn(&World) -> crate::world::Running) {
    let world = signed_in_with_agent();
    for number in 0..KILLS {
        world.json(&["agent", "start"]);
        let running = meanwhile(&world);
        thread::sleep(span * number / KILLS);
        for agent in world.agents() {
            agent.kill();
        }
        // It may have failed, and must end.
        let _ended = running.finish();
        world.ssh(&["web01", "true"]).run().succeeded();
        let shown = world.json(&["cert", "show"]);
        assert!(shown["remaining_seconds"].as_u64().unwrap() > 3000);
        let half: Vec<_> = files_below(&world.keyring_folder())
            .into_iter()
            .filter(|file| !world.keyring_files().iter().any(|(_, whole)| whole == file))
            .collect();
        assert!(half.is_empty(), "{half:?}");
        wait_for("one agent to remain", || world.agents().len() <= 1);
    }
}

#[test]
fn in_the_middle_of_a_renewal_and_of_what_it_stores() {
    kill_at_each_moment(Duration::from_millis(300), |world| {
        world.command(&["rotate", "--force"]).start()
    });
}

#[test]
fn in_the_middle_of_a_login() {
    kill_at_each_moment(Duration::from_millis(600), |world| {
        world.ssh(&["web01", "true"]).start()
    });
}
