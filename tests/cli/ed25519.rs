//! Ed25519 keys: refused as long as Entra does not certify them, and ready for the day it does.

use std::fs;

use sandbox::Options;

use crate::world::agent_socket::{
    FAILURE, SIGN_REQUEST, SIGN_RESPONSE, ask, connect, identities, string,
};
use crate::world::{ADA, CONTOSO, OwnAgent, World, options_with, options_with_sshd};

/// Entra on the day it certifies them, and a machine with the real `sshd`.
fn one_day() -> World {
    World::with(Options {
        certifies_ed25519: true,
        ..options_with_sshd(&["web01"])
    })
}

fn key_type(world: &World) -> String {
    let shown = world.json(&["cert", "show"]);
    shown["key_type"].as_str().unwrap().to_owned()
}

#[test]
fn today_they_are_refused_with_a_way_out_and_the_profile_stays_as_it_was() {
    let world = World::with_host("web01");
    let refused = world.entra_ssh(&["cert", "--key-type", "ed25519"]);
    refused.ended_with(1);
    assert_eq!(
        refused.error(),
        "Entra does not certify `ssh-ed25519` keys yet"
    );
    assert!(!refused.causes().is_empty(), "{refused}");
    assert_eq!(
        refused.hint(),
        "use RSA keys: entra-ssh cert --key-type rsa"
    );
    world.ssh("web01", "true").succeeded();
    world.entra_ssh(&["rotate", "--force"]).succeeded();
    assert_eq!(key_type(&world), "ssh-rsa-cert-v01@openssh.com");
    // Whoever has signed in so is told the same wherever a certificate is needed.
    world.login_as(ADA, &["--key-type", "ed25519"]);
    world.remove_stored_certificates();
    let refused = world.ssh("web01", "true");
    assert_ne!(refused.status, 0);
    for words in [
        "Entra does not certify `ssh-ed25519` keys yet",
        "entra-ssh cert --key-type rsa",
    ] {
        assert!(refused.stderr.contains(words), "{refused}");
    }
    world.entra_ssh(&["cert", "--key-type", "rsa"]).succeeded();
    world.ssh("web01", "true").succeeded();
    let usage = world.entra_ssh(&["cert", "--key-type", "ed25519", "--key-size", "2048"]);
    usage.ended_with(2);
}

#[test]
fn one_day_the_agent_logs_in_to_the_real_sshd_with_them() {
    let world = one_day();
    world.login_as(ADA, &["--key-type", "ed25519"]);
    world.add(&["web01"]);
    let login = world.ssh_command(&["-v", "web01", "true"]).run();
    login.succeeded();
    assert!(
        login.stderr.contains("ED25519-CERT"),
        "ssh has offered the certificate: {login}"
    );
    assert_eq!(key_type(&world), "ssh-ed25519-cert-v01@openssh.com");
    assert!(world.ssh_add("-l").stdout.contains("(ED25519-CERT)"));
    // Each one of a new key, and read back from the keyring.
    let fingerprint = || world.json(&["cert", "show"])["public_key_fingerprint"].clone();
    let first = fingerprint();
    world.entra_ssh(&["rotate", "--force"]).succeeded();
    assert_ne!(fingerprint(), first);
    world.stop_agent();
    world.ssh("web01", "true").succeeded();
    // Back to RSA.
    world.entra_ssh(&["cert", "--key-type", "rsa"]).succeeded();
    world.ssh("web01", "true").succeeded();
    assert_eq!(key_type(&world), "ssh-rsa-cert-v01@openssh.com");
}

/// Said here, where keys are made in no time: it takes many.
#[test]
fn sixteen_certificates_that_were_replaced_still_sign_and_no_more() {
    let world = one_day();
    world.login_as(ADA, &["--key-type", "ed25519"]);
    let newest_first: Vec<_> = {
        let issued = (0..18).map(|_| {
            world.json(&["rotate", "--force"]);
            identities(&world).remove(0)
        });
        let mut issued: Vec<_> = issued.collect();
        issued.reverse();
        issued
    };
    let signs = |certificate: &[u8]| {
        let request = [
            &[SIGN_REQUEST][..],
            &string(certificate),
            &string(b"data"),
            &[0; 4],
        ]
        .concat();
        ask(&mut connect(&world), &request)[0]
    };
    assert_eq!(signs(&newest_first[0]), SIGN_RESPONSE);
    assert_eq!(signs(&newest_first[16]), SIGN_RESPONSE);
    assert_eq!(signs(&newest_first[17]), FAILURE);
}

#[test]
fn one_day_they_are_kept_in_files_and_in_the_users_own_agent() {
    let world = one_day();
    world.login_as(ADA, &["--key-type", "ed25519"]);
    world
        .entra_ssh(&["config", "add", "web01", "--identity", "file"])
        .succeeded();
    world
        .ssh_command(&["-o", "IdentityAgent=none", "web01", "true"])
        .run()
        .succeeded();
    let key = world
        .home()
        .join(format!(".ssh/entra-ssh/keys/default-{CONTOSO}"));
    let contents = fs::read_to_string(&key).unwrap();
    assert!(contents.starts_with("-----BEGIN OPENSSH PRIVATE KEY-----\n"));
    world
        .program("ssh-keygen")
        .args(["-y", "-f"])
        .arg(&key)
        .run()
        .succeeded();
    fs::remove_file(&key).unwrap();
    let own = OwnAgent::start(&world);
    world
        .entra_ssh(&["config", "add", "web01", "--identity", "system-agent"])
        .succeeded();
    world
        .ssh_command(&["web01", "true"])
        .env("SSH_AUTH_SOCK", &own.socket)
        .run()
        .succeeded();
    let listed = own.listed(&world);
    assert_eq!(listed.len(), 2, "{listed:?}");
    assert!(listed[0].ends_with("(ED25519-CERT)"), "{listed:?}");
}

#[test]
fn a_key_of_ones_own_is_for_entra_to_decide() {
    for (world, is_certified) in [(one_day(), true), (World::with(options_with(&[])), false)] {
        world.login(ADA);
        world
            .program("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-f", "id"])
            .run()
            .succeeded();
        let output = world.entra_ssh(&["cert", "--public-key-file", "id.pub"]);
        assert_eq!(world.home().join("id-cert.pub").exists(), is_certified);
        if is_certified {
            output.succeeded();
            continue;
        }
        output.ended_with(1);
        assert_eq!(output.hint(), "use an RSA key: ssh-keygen -t rsa -b 3072");
    }
}
