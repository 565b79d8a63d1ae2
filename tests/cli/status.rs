//! What `status` says, and when it ends with 4.

use std::time::Duration;

use sandbox::Options;
use serde_json::Value;

use crate::world::{ADA, World, options_with, wait_for};

#[test]
fn a_profile_that_is_unknown_or_not_signed_in_is_an_error() {
    let world = World::new();
    for arguments in [&["status"][..], &["status", "--profile", "nobody"]] {
        let output = world.entra_ssh(arguments);
        output.ended_with(4);
        assert_ne!(output.error(), "");
        assert!(output.hint().starts_with("sign in: entra-ssh "), "{output}");
        assert!(output.stdout.contains("\nkeyring  file "), "{output}");
    }
    world.login(ADA);
    world.entra_ssh(&["status"]).succeeded();
    let unknown = world.entra_ssh(&["status", "--profile", "nobody"]);
    unknown.ended_with(4);
    assert!(unknown.error().contains("`nobody`"), "{unknown}");
    assert!(
        unknown.stdout.contains(ADA),
        "the others are shown: {unknown}"
    );
    // The keyring has lost the sign-in.
    std::fs::remove_dir_all(world.keyring_folder()).unwrap();
    let lost = world.entra_ssh(&["status"]);
    lost.ended_with(4);
    assert_eq!(
        lost.stderr,
        "error: profile `default` is not signed in\nhint: sign in: entra-ssh login\n"
    );
    assert!(
        lost.stdout
            .contains(": signed out; sign in with: entra-ssh login\n"),
        "{lost}"
    );
    assert_eq!(world.status()["profiles"][0]["signed_in"], false);
    // What failed before is still there.
    world.entra_ssh(&["cert"]).ended_with(4);
    world.entra_ssh(&["status"]).ended_with(4);
    let why = world.entra_ssh(&["why"]);
    assert!(why.stdout.contains("holds no sign-in"), "{why}");
}

#[test]
fn an_expired_certificate_is_said_to_have_expired() {
    let world = World::signed_in(Options {
        certificate_lifetime: Duration::from_secs(5),
        ..options_with(&[])
    });
    world.entra_ssh(&["cert"]).succeeded();
    world.stop_agent();
    let line = format!("certificate for {ADA} expired ");
    wait_for("the certificate to expire", || {
        let text = world.entra_ssh(&["status"]);
        text.succeeded();
        text.stdout.contains(&line)
    });
    let text = world.entra_ssh(&["status"]);
    assert!(
        text.stdout.contains(" s ago; the next login renews it\n"),
        "{text}"
    );
    let status = world.status();
    assert_eq!(status["profiles"][0]["signed_in"], true);
    assert_eq!(status["profiles"][0]["certificate"]["remaining_seconds"], 0);
}

#[test]
fn the_keyring_of_the_profile_is_told_and_not_the_one_that_a_sign_in_would_take() {
    let world = World::without_keyring(options_with(&[]));
    world.login_as(ADA, &["--keyring", "file"]);
    let status = world.status();
    assert_eq!(status["profiles"][0]["signed_in"], true);
    assert_eq!(status["profiles"][0]["keyring"], "file");
    assert_eq!(status["keyring"]["backend"], "file");
    assert_eq!(status["keyring"]["forgets"], Value::Null);
    let text = world.entra_ssh(&["status"]);
    assert!(
        text.stdout
            .ends_with("\nkeyring  file (the profile default is kept there)\n"),
        "{text}"
    );
    // One that is asked for by name is told beside that of the profile.
    let text = world.entra_ssh(&["status", "--keyring", "memory"]);
    text.succeeded();
    assert!(
        text.stdout
            .contains("\ndefault  kept in the file keyring\n"),
        "{text}"
    );
    assert!(
        text.stdout.ends_with(
            "\nkeyring  memory (chosen with --keyring); it forgets when the agent ends: at the last logout, at reboot, or with entra-ssh agent stop\n"
        ),
        "{text}"
    );
}
