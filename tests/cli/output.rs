//! Where results go: devices, pipes, and what cannot be written.

use std::fs;
use std::os::unix::fs::FileTypeExt as _;

use crate::world::{World, make_pipe, options};

#[test]
fn a_certificate_goes_into_devices_and_pipes_and_to_standard_output() {
    let world = World::signed_in(options());
    let out = world.root().join("out");
    // As the shell opens it, with something in it that stays.
    let script = format!(
        "echo before; {} cert --file /dev/stdout",
        crate::world::program().display()
    );
    let shell = |script: &str| {
        world
            .program("/bin/sh")
            .env("ENTRA_SSH_CLOUD", world.sandbox.cloud_file())
            .env("ENTRA_SSH_KEYRING", "file")
            .args(["-c", script])
            .run()
    };
    shell(&format!("({script}) >>{}", out.display())).succeeded();
    let text = fs::read_to_string(&out).unwrap();
    assert!(
        text.starts_with("before\nssh-rsa-cert-v01@openssh.com "),
        "{text}"
    );
    assert!(fs::symlink_metadata("/dev/stdout").unwrap().is_symlink());
    // Into a pipe.
    let through = shell(&format!("({script}) | cat"));
    assert!(
        through.stdout.contains("\nssh-rsa-cert-v01@openssh.com "),
        "{through}"
    );
    let named = world.root().join("pipe");
    make_pipe(&named);
    let read = world.program("cat").arg(&named).start();
    world
        .command(&["cert", "--file"])
        .arg(&named)
        .run()
        .succeeded();
    assert!(
        read.finish()
            .stdout
            .starts_with("ssh-rsa-cert-v01@openssh.com ")
    );
    // Into a device, which stays one.
    world
        .entra_ssh(&["cert", "--file", "/dev/null"])
        .succeeded();
    assert!(
        fs::metadata("/dev/null")
            .unwrap()
            .file_type()
            .is_char_device()
    );
    world
        .entra_ssh(&["cert", "--file", "/dev/full"])
        .ended_with(1);
    // To standard output, with nothing else there.
    let printed = world.entra_ssh(&["cert", "--file", "-"]);
    printed.succeeded();
    assert_eq!(printed.stdout.lines().count(), 1, "{printed}");
    assert!(
        printed.stdout.starts_with("ssh-rsa-cert-v01@openssh.com "),
        "{printed}"
    );
    assert!(!world.home().join("-").exists());
}

#[test]
fn a_result_that_cannot_be_written_is_a_failure_and_a_reader_that_has_left_is_none() {
    let world = World::signed_in(options());
    world.add(&["web01"]);
    for arguments in [
        "status",
        "status -o json",
        "config list",
        "config show web01",
        "cert -o json",
        "cert --file -",
        "cert show",
        "agent status",
        "why",
        "rotate",
        "--help",
        "config --help",
        "--version",
        "help cert",
    ] {
        let run = |before: &str, redirection: &str| {
            let script = format!(
                "{before} {} {arguments} {redirection}",
                crate::world::program().display()
            );
            world
                .program("/bin/bash")
                .env("ENTRA_SSH_CLOUD", world.sandbox.cloud_file())
                .env("ENTRA_SSH_KEYRING", "file")
                .args(["-c", &script])
                .run()
        };
        let full = run("", ">/dev/full");
        assert_eq!(full.status, 1, "{full}");
        assert!(
            full.stderr
                .contains("cannot write the result to standard output")
                && full.stderr.contains("No space left on device"),
            "{full}"
        );
        let closed = run("", ">&-");
        assert_eq!(closed.status, 1, "{closed}");
        assert!(closed.stderr.contains("it is closed"), "{closed}");
        let left = run("exec 3> >(true); wait $!;", ">&3");
        assert_eq!(left.status, 0, "{left}");
        assert!(!left.stderr.contains("error"), "{left}");
    }
}
