//! The agent is killed at whatever it does, and the next `ssh` works.

use std::fs::File;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use crate::world::{ADA, LIMIT, Running, World, options_with, wait_for};

/// How often it is killed.
const KILLS: u32 = 12;
/// How often it is killed while it writes to a keyring.
const KILLS_IN_A_WRITE: u32 = 16;

/// Kills the agent at one moment after another of what `meanwhile` has it do.
fn kill_at_each_moment(span: Duration, meanwhile: impl Fn(&World) -> Running) {
    let world = World::with_host("web01");
    for number in 0..KILLS {
        world.json(&["agent", "start"]);
        let running = meanwhile(&world);
        thread::sleep(span * number / KILLS);
        kill_agents(&world);
        // It may have failed, and must end.
        let _ended = running.finish();
        world.ssh("web01", "true").succeeded();
        let shown = world.json(&["cert", "show"]);
        assert!(shown["remaining_seconds"].as_u64().unwrap() > 3000);
        // The sign-in and the certificate; what was being written is seen to below.
        assert_eq!(world.keyring_files().len(), 2);
        wait_for("one agent to remain", || world.agents().len() <= 1);
    }
}

fn kill_agents(world: &World) {
    for agent in world.agents() {
        agent.kill();
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
        world.ssh_command(&["web01", "true"]).start()
    });
}

/// Has the agent renew, and returns as soon as Entra has been asked for the certificate: what is left is to verify the answer
/// and to write it to the keyring.
fn begin_to_store(world: &World) -> Running {
    let before = world.certificate_requests();
    let running = world.command(&["rotate", "--force"]).start();
    let deadline = Instant::now() + LIMIT;
    while world.certificate_requests() == before {
        assert!(Instant::now() < deadline, "nobody asks for a certificate");
        thread::sleep(Duration::from_micros(200));
    }
    running
}

/// Returns the fingerprint of the key whose certificate the keyring holds: each has a key of its own, and it is shown only if
/// that key is beside it.
fn stored_key(world: &World) -> String {
    world.json(&["cert", "show"])["public_key_fingerprint"].to_string()
}

/// Kills the agent at one moment after another of a write to the keyring, and has `look` at what is left each time.
fn kill_in_each_moment_of_a_write(world: &World, look: impl Fn()) {
    world.login_as(ADA, &["--key-size", "2048"]);
    world.add(&["web01"]);
    world.ssh("web01", "true").succeeded();
    let spans = (0..3).map(|_| {
        let running = begin_to_store(world);
        let begun = Instant::now();
        running.finish().succeeded();
        begun.elapsed()
    });
    let span = spans.max().unwrap();
    let (mut kept, mut replaced) = (0, 0);
    // The first kill is before the write and the last one after it, however busy the machine is.
    for number in 0..KILLS_IN_A_WRITE {
        world.json(&["agent", "start"]);
        let agent = world.agents().remove(0);
        let before = stored_key(world);
        let running = if number == 0 {
            world.command(&["rotate", "--force"]).start()
        } else {
            begin_to_store(world)
        };
        thread::sleep(span * 3 * number / (2 * KILLS_IN_A_WRITE));
        if number + 1 == KILLS_IN_A_WRITE {
            running.finish().succeeded();
        } else {
            // It would start the next agent at once, and have it finish the work.
            drop(running);
        }
        agent.kill();
        if stored_key(world) == before {
            kept += 1;
        } else {
            replaced += 1;
        }
        look();
        world.ssh("web01", "true").succeeded();
    }
    println!("killed {KILLS_IN_A_WRITE} times within {span:?}: {kept} kept, {replaced} replaced");
    assert!(kept > 0, "it was killed after the write alone");
    assert!(replaced > 0, "it was killed before the write alone");
}

#[test]
fn in_the_middle_of_a_write_to_gnome_keyring() {
    let world = World::with_gnome_keyring(options_with(&["web01"]));
    kill_in_each_moment_of_a_write(&world, || {
        let entries = world.secret_service_entries();
        let count = entries.matches("attribute.username = ").count();
        assert_eq!(count, 2, "sign-in and certificate, and no more: {entries}");
    });
}

#[test]
fn in_the_middle_of_a_write_to_private_files() {
    let world = World::with(options_with(&["web01"]));
    kill_in_each_moment_of_a_write(&world, || {
        assert_eq!(world.keyring_files().len(), 2);
    });
    let left = world.unfinished_keyring_files();
    println!("{} files were left unfinished", left.len());
    // The next write takes away what is a minute old and nobody's.
    for path in &left {
        let file = File::options().write(true).open(path).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(61))
            .unwrap();
    }
    world.json(&["rotate", "--force"]);
    let left = world.unfinished_keyring_files();
    assert!(left.is_empty(), "{left:?}");
}
