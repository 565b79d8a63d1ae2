//! The files that config commands write: what is refused, and files that are no plain ones.

use std::fs;
use std::os::unix::fs::symlink;

use crate::world::{World, make_pipe, options};

#[test]
fn what_ssh_refuses_is_not_put_in_the_place_of_what_it_reads() {
    let world = World::signed_in(options());
    world.add(&["web01"]);
    let before = fs::read_to_string(world.managed_config()).unwrap();
    // A port that was written by another program, and an option that no ssh knows.
    for (from, to, told) in [
        (
            "\"port\":22",
            "\"port\":0",
            "the host `web01` cannot be written",
        ),
        (
            "# >>> entra-ssh",
            "NoSuchOption yes\n# >>> entra-ssh",
            "Bad configuration option: nosuchoption",
        ),
    ] {
        let damaged = before.replacen(from, to, 1);
        fs::write(world.managed_config(), &damaged).unwrap();
        let output = world.entra_ssh(&["config", "add", "vm01"]);
        output.ended_with(1);
        assert!(
            output.stderr.contains(told) && output.stderr.contains("\nhint: "),
            "{output}"
        );
        assert_eq!(fs::read_to_string(world.managed_config()).unwrap(), damaged);
        assert_eq!(
            fs::read_dir(world.managed_config().parent().unwrap())
                .unwrap()
                .filter(|entry| entry
                    .as_ref()
                    .unwrap()
                    .file_name()
                    .to_string_lossy()
                    .starts_with(".entra-ssh"))
                .count(),
            0,
            "no temporary file stays"
        );
    }
    // The host that cannot be written can be removed.
    fs::write(
        world.managed_config(),
        before.replacen("\"port\":22", "\"port\":0", 1),
    )
    .unwrap();
    world.entra_ssh(&["config", "remove", "web01"]).succeeded();
}

#[test]
fn a_managed_file_that_would_be_too_long_to_read_is_not_written() {
    let world = World::signed_in(options());
    world.add(&["web01"]);
    let mut text = fs::read(world.managed_config()).unwrap();
    // A comment of the user's, up to the limit.
    let rest = 16 * 1024 * 1024 - text.len();
    text.extend(
        std::iter::repeat_n([[b'#'].as_slice(), &[b'x'; 62], b"\n"].concat(), rest / 64).flatten(),
    );
    fs::write(world.managed_config(), &text).unwrap();
    let output = world.entra_ssh(&["config", "add", "vm01"]);
    output.ended_with(1);
    assert!(
        output.stderr.contains("16777216 bytes") && output.stderr.contains("\nhint: "),
        "{output}"
    );
    assert!(fs::read(world.managed_config()).unwrap() == text);
    // All that was there still works.
    assert!(
        world
            .entra_ssh(&["config", "list"])
            .stdout
            .contains("web01")
    );
    world.ssh_command(&["-G", "web01"]).run().succeeded();
    world.entra_ssh(&["config", "remove", "web01"]).succeeded();
}

#[test]
fn a_pipe_or_a_device_as_the_users_config_is_refused_and_not_waited_for() {
    let world = World::signed_in(options());
    world.make_ssh_folder();
    make_pipe(&world.ssh_config());
    for _ in 0..2 {
        let output = world.entra_ssh(&["config", "add", "web01"]);
        output.ended_with(1);
        assert!(
            output.stderr.contains("not a regular file") && output.stderr.contains("\nhint: "),
            "{output}"
        );
        assert!(!world.managed_config().exists(), "nothing is half done");
        fs::remove_file(world.ssh_config()).unwrap();
        symlink("/dev/zero", world.ssh_config()).unwrap();
    }
    let output = world
        .command(&["status"])
        .env("ENTRA_SSH_CLOUD", "/dev/zero")
        .run();
    assert!(output.seconds < 60.0, "{output}");
}

#[test]
fn a_config_that_cannot_be_written_costs_no_host_and_the_line_to_add_is_told() {
    let world = World::signed_in(options());
    let folder = world.make_ssh_folder();
    // What a dotfile manager makes: a link to a file that only it can write, here in a folder that is nobody's.
    symlink("/proc/self/status", folder.join("config")).unwrap();
    let output = world.entra_ssh(&["config", "add", "web01"]);
    output.succeeded();
    let line = format!("Include {}\n", world.managed_config().display());
    assert!(
        output.stderr.contains("warning: the hosts are written") && output.stderr.contains(&line),
        "{output}"
    );
    assert!(
        world
            .entra_ssh(&["config", "list"])
            .stdout
            .contains("web01")
    );
    // With the line added by hand, nothing is told any more.
    fs::remove_file(folder.join("config")).unwrap();
    fs::write(folder.join("config"), line).unwrap();
    assert_eq!(world.add(&["web01"]).stderr.matches("warning").count(), 0);
}

#[test]
fn a_link_to_a_config_that_is_not_there_yet_stays_a_link() {
    let world = World::signed_in(options());
    let folder = world.make_ssh_folder();
    fs::create_dir(world.home().join("dotfiles")).unwrap();
    symlink("../dotfiles/ssh", folder.join("config")).unwrap();
    world.add(&["web01"]);
    assert!(
        fs::symlink_metadata(folder.join("config"))
            .unwrap()
            .is_symlink()
    );
    let text = fs::read_to_string(world.home().join("dotfiles/ssh")).unwrap();
    assert!(text.contains("\nInclude "), "{text}");
    world.ssh_command(&["-G", "web01"]).run().succeeded();
}

#[test]
#[ignore = "only root can mount everywhere: tests/run runs it as root"]
fn as_root_a_config_that_is_mounted_by_itself_is_written_in_place() {
    let world = World::signed_in(options());
    let folder = world.make_ssh_folder();
    let mounted = world.root().join("mounted");
    fs::write(&mounted, "Host mine\n").unwrap();
    fs::write(folder.join("config"), "").unwrap();
    let ours = crate::world::program();
    let ours = ours.display();
    let script = format!("mount --bind \"$1\" \"$2\" && exec {ours} config add web01");
    let output = world
        .program("unshare")
        .env("ENTRA_SSH_CLOUD", world.sandbox.cloud_file())
        .env("ENTRA_SSH_KEYRING", "file")
        .args(["--mount", "/bin/sh", "-c", &script, "sh"])
        .args([&mounted, &world.ssh_config()])
        .run();
    output.succeeded();
    assert!(!output.stderr.contains("warning"), "{output}");
    let text = fs::read_to_string(&mounted).unwrap();
    assert!(
        text.contains("\nInclude ") && text.ends_with("\n\nHost mine\n"),
        "{text}"
    );
}

#[test]
#[ignore = "only root can own what another user has: tests/run runs it as root"]
fn as_root_nothing_is_left_in_the_home_of_another_user() {
    let world = World::new();
    let nobody = Some(65534);
    std::os::unix::fs::chown(world.home(), nobody, nobody).unwrap();
    for arguments in [&["config", "refresh"][..], &["config", "remove", "web01"]] {
        let output = world.entra_ssh(arguments);
        output.ended_with(1);
        assert_eq!(fs::read_dir(world.home()).unwrap().count(), 0, "{output}");
    }
    let output = world.entra_ssh(&["config", "refresh"]);
    assert!(
        output.stderr.contains("belongs to another user")
            && output.stderr.contains("\nhint: run entra-ssh as that user"),
        "{output}"
    );
    // A file of theirs in a home of root's stays theirs.
    std::os::unix::fs::chown(world.home(), Some(0), Some(0)).unwrap();
    world.make_ssh_folder();
    fs::write(world.ssh_config(), "Host mine\n").unwrap();
    std::os::unix::fs::chown(world.ssh_config(), nobody, nobody).unwrap();
    world.entra_ssh(&["config", "refresh"]).succeeded();
    let owner = std::os::unix::fs::MetadataExt::uid(&fs::metadata(world.ssh_config()).unwrap());
    assert_eq!(Some(owner), nobody);
}
