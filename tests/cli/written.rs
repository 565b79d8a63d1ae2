//! What we write into configs, and what we refuse to write there.

use std::fs;
use std::path::Path;

use crate::world::{ADA, World, options};

/// What a hostile archive calls a folder, so that it becomes lines of an ssh config.
const EVIL: &str = "evil\nMatch exec \"touch OWNED\"\n#";

fn signed_in() -> World {
    let world = World::with(options());
    world.login(ADA);
    world
}

/// Runs a command of ours in a folder.
fn in_folder(world: &World, folder: &Path, arguments: &str) -> crate::world::Output {
    let ours = env!("CARGO_BIN_EXE_entra-ssh");
    let script = format!("cd \"$1\" && exec {ours} {arguments}");
    world
        .program("/bin/sh")
        .env("ENTRA_SSH_CLOUD", world.sandbox.cloud_file())
        .env("ENTRA_SSH_KEYRING", "file")
        .args(["-c", &script, "sh"])
        .arg(folder)
        .run()
}

#[test]
fn a_folder_whose_name_is_lines_of_ssh_config_is_refused_and_nothing_is_written() {
    let world = signed_in();
    world.add(&["web01"]);
    let before = fs::read(world.managed_config()).unwrap();
    let folder = world.root().join(EVIL);
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("k"), "key").unwrap();
    fs::write(folder.join("k.pub"), "key").unwrap();
    for arguments in [
        "config add web02 --local-user bob --private-key-file k",
        "config add web02 --public-key-file k.pub",
        "config add web02 --agent-socket agent.sock",
        "agent install --agent-socket agent.sock",
    ] {
        let output = in_folder(&world, &folder, arguments);
        output.ended_with(1);
        assert!(
            output.stderr.contains("contains a control character")
                && output.stderr.contains("\nhint: "),
            "{output}"
        );
        assert!(
            !output.stderr.lines().any(|line| line.starts_with("Match")),
            "{output}"
        );
    }
    assert!(fs::read(world.managed_config()).unwrap() == before);
    world.ssh(&["-G", "web01"]).run().succeeded();
}

#[test]
fn a_home_or_runtime_folder_whose_name_is_lines_is_refused() {
    let world = signed_in();
    let folder = world.root().join(EVIL);
    fs::create_dir(&folder).unwrap();
    for name in [
        "HOME",
        "XDG_CONFIG_HOME",
        "XDG_DATA_HOME",
        "XDG_RUNTIME_DIR",
        "XDG_STATE_HOME",
    ] {
        let output = world.command(&["status"]).env(name, &folder).run();
        output.ended_with(1);
        assert!(
            output.stderr.contains("contains a control character"),
            "{name}: {output}"
        );
    }
    assert_eq!(
        fs::read_dir(&folder).unwrap().count(),
        0,
        "nothing is made there"
    );
    let output = world.command(&["status"]).env("HOME", "home").run();
    output.ended_with(1);
    assert!(
        output
            .stderr
            .contains("the home folder `home` is not an absolute path"),
        "{output}"
    );
}

#[test]
fn a_key_in_a_folder_with_every_sign_is_found_by_ssh_and_harms_no_other_host() {
    let world = signed_in();
    world.add(&["web01"]);
    let folder = world.root().join("a \"b\" 'c' 100% \\d $e #f `g` (h) *");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("k"), "key").unwrap();
    let output = in_folder(
        &world,
        &folder,
        "config add web02 --local-user bob --private-key-file k",
    );
    output.succeeded();
    let read = world.ssh(&["-G", "web02"]).run();
    read.succeeded();
    let expected = folder.join("k").display().to_string();
    let found = read
        .stdout
        .lines()
        .find_map(|line| line.strip_prefix("identityfile "))
        .map(|file| file.replace("%%", "%"));
    assert_eq!(found, Some(expected), "{read}");
    world.ssh(&["-G", "web01"]).run().succeeded();
}
