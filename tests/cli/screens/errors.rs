//! One screen for each kind of error that the sandbox or this machine can cause: what failed, why, and what to do.

mod cloud;
mod local;

use std::path::PathBuf;

use super::assert_command;
use crate::world::World;

/// Makes a key, so that no test waits for one to be made.
fn make_key(world: &World) -> PathBuf {
    world
        .program("ssh-keygen")
        .args(["-q", "-t", "rsa", "-b", "2048", "-N", "", "-f", "key"])
        .run()
        .succeeded();
    world.home().join("key.pub")
}

/// Compares what a command says that fails.
#[track_caller]
fn check(folder: &str, name: &str, world: &World, line: &str) {
    let output = assert_command(&format!("errors/{folder}"), name, world, line);
    assert_ne!(output.status, 0, "{output}");
}
