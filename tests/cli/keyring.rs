//! Keyrings: GNOME Keyring, the kernel's, and private files.

mod kernel;

use std::fs::{self};

use serde_json::Value;

use crate::world::{ADA, PASSWORD, PROMPT, World, mode, options, options_with};

#[test]
fn gnome_keyring_is_found_named_and_emptied() {
    let world = World::with_gnome_keyring(options_with(&["web01"]));
    let status = world.status();
    assert_eq!(status["keyring"]["backend"], "secret-service");
    assert_eq!(status["keyring"]["reason"], "the Secret Service is here");
    assert_eq!(world.secret_service_entries(), "", "looking leaves nothing");
    world.login(ADA);
    world.add(&["web01"]);
    world.ssh("web01", "true").succeeded();
    let entries = world.secret_service_entries();
    assert_eq!(
        entries.matches("attribute.username = ").count(),
        2,
        "{entries}"
    );
    assert!(!world.keyring_folder().exists());
    assert!(world.ssh_add("-l").stdout.contains(ADA));
    world.entra_ssh(&["logout"]).printed("signed out of the profile default: removed the sign-in from the Secret Service, the key and its certificate from \
         the Secret Service, all of it from the agent, the profile\n");
    assert_eq!(world.secret_service_entries(), "");
    let offered = world.ssh_add("-l");
    assert_eq!(
        offered.stdout, "The agent has no identities.\n",
        "{offered}"
    );
    world.login(ADA);
    world.entra_ssh(&["cert"]).succeeded();
    world.entra_ssh(&["logout", "--all"]).succeeded();
    assert_eq!(world.secret_service_entries(), "");
}

#[test]
fn what_somebody_left_who_was_killed_while_trying_gnome_keyring_out_goes_with_the_next_trial() {
    let world = World::with_gnome_keyring(options_with(&[]));
    let trial = ["service", "entra-ssh", "username", "trial"];
    let left = world
        .program("secret-tool")
        .args(["store", "--label", "keyring:trial@entra-ssh"])
        .args(trial)
        .stdin("trial")
        .run();
    left.succeeded();
    assert_ne!(world.secret_service_entries(), "");
    let running: Vec<_> = (0..10)
        .map(|_| world.command(&["status", "-o", "json"]).start())
        .collect();
    for each in running {
        let status = each.finish().json();
        assert_eq!(status["keyring"]["backend"], "secret-service", "{status}");
    }
    assert_eq!(world.secret_service_entries(), "");
}

#[test]
fn a_locked_gnome_keyring_is_told_in_time_and_nothing_is_lost() {
    let mut world = World::with_gnome_keyring(options_with(&["web01"]));
    world.login(ADA);
    world.add(&["web01"]);
    let certificate = world.json(&["cert", "show"]);
    world.stop_agent();
    world.secret_service.as_mut().unwrap().restart(None);
    for arguments in [
        &["cert"][..],
        &["cert", "show"],
        &["ssh", "web01", "--", "true"],
        &["--keyring", "secret-service", "login", "--device-code"],
    ] {
        let output = world.entra_ssh(arguments);
        assert_ne!(output.status, 0, "{output}");
        assert!(output.seconds < PROMPT, "{output}");
        assert!(output.stderr.contains("error: "), "{output}");
        assert!(output.stderr.contains("locked"), "{output}");
        let (keyutils, file) = ("login --keyring keyutils", "login --keyring file");
        let hint = output.stderr.find(keyutils).zip(output.stderr.find(file));
        assert!(
            hint.is_some_and(|(first, second)| first < second),
            "{output}"
        );
        assert!(!output.stderr.contains("--unlock"), "{output}");
        assert!(!output.stderr.contains("panicked"), "{output}");
    }
    let status = world.entra_ssh(&["status", "-o", "json"]);
    status.ended_with(1);
    assert!(status.stderr.contains("locked"), "{status}");
    assert_eq!(status.json()["profiles"][0]["account"], ADA);
    world.entra_ssh(&["agent", "stop"]).succeeded();
    world
        .secret_service
        .as_mut()
        .unwrap()
        .restart(Some(PASSWORD));
    assert_eq!(
        world.json(&["cert", "show"])["public_key_fingerprint"],
        certificate["public_key_fingerprint"]
    );
    world.ssh("web01", "true").succeeded();
}

#[test]
fn a_running_agent_works_on_while_the_keyring_is_away() {
    let mut world = World::with_gnome_keyring(options_with(&["web01"]));
    world.login(ADA);
    world.add(&["web01"]);
    world.ssh("web01", "true").succeeded();
    world.secret_service.as_mut().unwrap().restart(None);
    world.ssh("web01", "true").succeeded();
}

#[test]
fn private_files_are_private_and_only_used_when_asked_for() {
    let world = World::signed_in(options());
    world.entra_ssh(&["cert"]).succeeded();
    let files = world.keyring_files();
    assert_eq!(files.len(), 2);
    assert_eq!(mode(&world.keyring_folder()), 0o700);
    for (_, file) in &files {
        assert_eq!(mode(file), 0o600, "{}", file.display());
    }
    // The profile remembers where its secrets are.
    let shown = world
        .command(&["cert", "show"])
        .env_remove("ENTRA_SSH_KEYRING")
        .run();
    shown.succeeded();
    // A damaged entry is no panic.
    for (kind, file) in files {
        if kind == 3 {
            fs::write(file, [1, 3, 0, 0]).unwrap();
        }
    }
    let shown = world.entra_ssh(&["cert", "show"]);
    shown.ended_with(1);
    world.entra_ssh(&["cert"]).succeeded();
    world.entra_ssh(&["cert", "show"]).succeeded();
}

#[test]
fn a_damaged_sign_in_is_told_with_a_way_out() {
    let world = World::signed_in(options());
    let (_, file) = world.keyring_files().remove(0);
    fs::write(file, [9, 9, 9]).unwrap();
    let output = world.entra_ssh(&["cert"]);
    assert_ne!(output.status, 0);
    assert!(
        output
            .stderr
            .starts_with("error: cannot read the keyring entry `sign-in "),
        "{output}"
    );
    assert_eq!(
        output.hint(),
        "sign in again: entra-ssh logout; entra-ssh login"
    );
    world.entra_ssh(&["logout"]).succeeded();
    world.login(ADA);
    world.entra_ssh(&["cert"]).succeeded();
}

#[test]
fn what_is_not_of_this_system_is_refused_by_name() {
    let world = World::without_keyring(options_with(&[]));
    let status = world.entra_ssh(&["status", "--keyring", "windows", "-o", "json"]);
    status.ended_with(4);
    let status = status.json();
    assert_eq!(status["keyring"]["backend"], Value::Null);
    assert_eq!(
        status["keyring"]["reason"],
        "the Windows Credential Manager cannot be used: this is Linux"
    );
    let login = world.entra_ssh(&["login", "--device-code", "--keyring", "secret-service"]);
    login.ended_with(1);
    assert!(
        login
            .stderr
            .starts_with("error: the Secret Service cannot be used: "),
        "{login}"
    );
    assert_eq!(
        login.hint(),
        "use the kernel keyring, which forgets at reboot: entra-ssh login --keyring keyutils; or private files: \
             entra-ssh login --keyring file"
    );
    assert!(
        world.sandbox.requests().is_empty(),
        "nobody was asked to sign in for nothing"
    );
    let usage = world.entra_ssh(&["login", "--keyring", "shoebox"]);
    usage.ended_with(2);
}
