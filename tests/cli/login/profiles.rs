//! Profiles side by side, what `status` says of them, and what `logout` removes.

use std::fs;

use sandbox::Fault;
use serde_json::Value;

use super::service_principal;
use crate::world::{ADA, CONTOSO, DEPLOY, DEPLOY_SECRET, GRACE, World, files_below, options_with};

#[test]
fn two_profiles_live_side_by_side() {
    let world = World::signed_in(options_with(&[]));
    service_principal(&world)
        .args(["--profile", "ci"])
        .env("ENTRA_SSH_CLIENT_SECRET", DEPLOY_SECRET)
        .run()
        .succeeded();
    assert_eq!(world.json(&["cert"])["principals"][0], ADA);
    assert_eq!(
        world.json(&["cert", "--profile", "ci"])["principals"][0],
        DEPLOY
    );
    let ci = world
        .command(&["cert", "show", "-o", "json"])
        .env("ENTRA_SSH_PROFILE", "ci")
        .run();
    assert_eq!(ci.json()["principals"][0], DEPLOY);
    world.entra_ssh(&["logout", "--profile", "ci"]).printed("signed out of the profile ci: removed the sign-in from the file keyring, the key and its certificate from the \
         file keyring, all of it from the agent, the profile\n");
    assert_eq!(world.json(&["cert", "show"])["principals"][0], ADA);
    world.entra_ssh(&["cert", "--profile", "ci"]).ended_with(4);
}

#[test]
fn status_has_the_shape_that_scripts_rely_on() {
    let world = World::with(options_with(&["web01"]));
    let empty = world.status();
    assert_eq!(empty["profiles"], Value::Array(Vec::new()));
    assert_eq!(empty["agent"]["running"], false);
    assert_eq!(empty["agent"]["socket"], world.socket().to_str().unwrap());
    assert_eq!(empty["keyring"]["backend"], "file");
    let text = world.entra_ssh(&["status"]);
    assert!(
        text.stdout
            .starts_with("not signed in; sign in with: entra-ssh login\n"),
        "{text}"
    );

    world.login(ADA);
    let status = world.json(&["status"]);
    let profile = &status["profiles"][0];
    assert_eq!(profile["name"], "default");
    assert_eq!(profile["cloud"], "sandbox");
    assert_eq!(profile["tenant"], CONTOSO);
    assert_eq!(profile["account"], ADA);
    assert_eq!(profile["signed_in"], true);
    assert_eq!(profile["certificate"], Value::Null);

    world.add(&["web01"]);
    let status = world.json(&["status"]);
    let certificate = &status["profiles"][0]["certificate"];
    for name in [
        "serial",
        "key_id",
        "principals",
        "valid_after",
        "valid_before",
        "remaining_seconds",
        "key_type",
        "public_key_fingerprint",
        "ca_fingerprint",
        "file",
    ] {
        assert!(certificate.get(name).is_some(), "{name}: {status}");
    }
    assert_eq!(certificate["principals"], serde_json::json!([ADA]));
    assert_eq!(certificate["key_type"], "ssh-rsa-cert-v01@openssh.com");
    assert_eq!(status["agent"]["running"], true);
    let text = world.entra_ssh(&["status"]);
    let line = format!("default  {ADA} in {CONTOSO} (sandbox): certificate for {ADA}, 1 h left\n");
    let printed = text.stdout.replace(" 59 min left", " 1 h left");
    assert!(printed.starts_with(&line), "{text}");
    assert!(text.stdout.contains("\nagent    running ("), "{text}");
    assert!(
        text.stdout
            .ends_with("\nkeyring  file (chosen with --keyring)\n"),
        "{text}"
    );
}

#[test]
fn status_works_offline_and_starts_no_agent() {
    let world = World::signed_in(options_with(&[]));
    world.sandbox.fault(Fault::Outage.times(0));
    world.sandbox.clear_requests();
    world.entra_ssh(&["status"]).succeeded();
    assert!(world.sandbox.requests().is_empty());
    assert!(world.agents().is_empty());
}

#[test]
fn logout_takes_everything_away() {
    let world = World::signed_in(options_with(&["web01"]));
    service_principal(&world)
        .args(["--profile", "ci"])
        .env("ENTRA_SSH_CLIENT_SECRET", DEPLOY_SECRET)
        .run()
        .succeeded();
    world.add(&["web01"]);
    world.entra_ssh(&["cert", "--profile", "ci"]).succeeded();
    world.ssh("web01", "true").succeeded();
    assert_eq!(world.ssh_add("-l").stdout.lines().count(), 2);
    let out = world.entra_ssh(&["logout"]);
    assert_eq!(
        out.stdout,
        "signed out of the profile default: removed the sign-in from the file keyring, the key and its certificate from \
         the file keyring, all of it from the agent, the profile\n",
        "{out}"
    );
    let offered = world.ssh_add("-l").stdout;
    assert!(!offered.contains(ADA), "{offered}");
    assert_eq!(world.keyring_files().len(), 2, "the other profile's");
    let denied = world.ssh("web01", "true");
    denied.ended_with(255);
    assert_eq!(denied.error(), "profile `default` is not signed in");
    let again = world.entra_ssh(&["logout"]);
    again.ended_with(4);

    world.login(ADA);
    world.entra_ssh(&["cert"]).succeeded();
    let out = world.json(&["logout", "--all"]);
    assert_eq!(out.as_array().unwrap().len(), 2, "{out}");
    assert!(world.keyring_files().is_empty());
    assert!(files_below(&world.home().join(".config")).is_empty());
    let offered = world.ssh_add("-l");
    offered.ended_with(1);
    assert_eq!(offered.stdout, "The agent has no identities.\n");
    world
        .entra_ssh(&["logout", "--all"])
        .printed("not signed in\n");
}

#[test]
fn a_new_sign_in_under_the_same_name_replaces_the_old_one_at_once() {
    let world = World::with_host("web01");
    world.ssh("web01", "true").succeeded();
    world.login(GRACE);
    let offered = world.ssh_add("-l").stdout;
    assert!(!offered.contains(ADA), "{offered}");
    world.add(&["web01"]);
    let output = world.ssh("web01", "echo $USER");
    assert_eq!(output.stdout, "grace.hopper@contoso.example\n", "{output}");
    // What the first one left in the keyring goes with the rest.
    world.entra_ssh(&["logout", "--all"]).succeeded();
    assert!(
        world.keyring_files().is_empty(),
        "{:?}",
        world.keyring_files()
    );
}

#[test]
fn a_profile_whose_cloud_file_is_gone_does_not_hide_the_others() {
    let world = World::with(options_with(&[]));
    world.login_deploy();
    let folder = world.home().join("cloud");
    fs::create_dir(&folder).unwrap();
    fs::copy(world.sandbox.cloud_file(), folder.join("cloud.toml")).unwrap();
    fs::copy(world.sandbox.ca_file(), folder.join("ca.pem")).unwrap();
    world.login_as(ADA, &["--profile", "moved", "--cloud", "cloud/cloud.toml"]);
    fs::remove_file(folder.join("cloud.toml")).unwrap();
    let refused = world.entra_ssh(&["cert", "--profile", "moved"]);
    refused.ended_with(1);
    assert!(
        refused
            .stderr
            .starts_with("error: cannot read the cloud file `"),
        "{refused}"
    );
    let status = world.entra_ssh(&["status"]);
    status.succeeded();
    assert!(status.stdout.contains(DEPLOY), "{status}");
    assert!(status.stdout.contains("cloud file"), "{status}");
    world.entra_ssh(&["logout", "--all"]).succeeded();
    assert!(world.keyring_files().is_empty());
}
