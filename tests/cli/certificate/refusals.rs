//! Keys that Entra does not certify, certificates that entra-ssh rejects, and files that hold none.

use std::fs;

use sandbox::{Fault, Variation};

use crate::world::{ADA, World, options_with};

#[test]
fn keys_that_entra_does_not_certify_are_refused_before_it_is_asked() {
    let world = World::signed_in(options_with(&[]));
    world.sandbox.clear_requests();
    let keygen = |kind: &str, bits: &str, file: &str| {
        let keygen = world
            .program("ssh-keygen")
            .args(["-q", "-N", "", "-t", kind, "-b", bits, "-f", file]);
        keygen.run().succeeded();
    };
    keygen("ecdsa", "256", "ec");
    keygen("rsa", "1024", "short");
    for (file, status, expected) in [
        (
            "ec.pub",
            1,
            "error: this is not a usable key for Entra: it certifies RSA keys, and this is `ecdsa-sha2-nistp256`\n\
             hint: use an RSA key: ssh-keygen -t rsa -b 3072\n",
        ),
        (
            "short.pub",
            1,
            "error: the RSA key has 1024 bits; Entra certifies none below 2048\n\
             hint: create a longer one: ssh-keygen -t rsa -b 3072\n",
        ),
        (
            "short",
            2,
            "error: `short` holds a private key\nhint: name the public key file: short.pub\n",
        ),
    ] {
        world.assert_refused(&["cert", "--public-key-file", file], status, expected);
    }
    assert_eq!(world.token_requests(), 0);
    assert!(!world.home().join("ec-cert.pub").exists());
    assert!(!world.home().join("short-cert.pub").exists());
}

#[test]
fn what_is_odd_about_a_certificate_is_said_once_when_it_is_issued() {
    let world = World::signed_in(options_with(&["web01", "vm01"]));
    let expected = "warning: the certificate runs the command `uptime` instead of what you ask for (force-command)\n\
        warning: the certificate is accepted only from `10.0.0.0/8` (source-address)\n\
        warning: sshd refuses the certificate, which has the unknown critical option `tea@example.com`\n\
        warning: the certificate never expires: anyone who gets its key can log in forever\n";
    world
        .sandbox
        .fault(Fault::certificate(Variation::Constrained).times(0));
    let issued = world.entra_ssh(&["cert"]);
    issued.succeeded();
    assert_eq!(issued.stderr, expected);
    // For several hosts, too.
    let added = world.add(&["web01", "vm01"]);
    assert_eq!(added.stderr.matches("warning: ").count(), 4, "{added}");
    assert!(added.stderr.contains(expected), "{added}");
    // Nobody who connects is told again.
    let shown = world.entra_ssh(&["rotate"]);
    assert!(!shown.stderr.contains("warning"), "{shown}");
}

/// Every way in which a certificate can be wrong, and the sentence that goes with it.
const FAULTS: [(Variation, &str); 7] = [
    (
        Variation::WrongKey,
        "error: the certificate is for another key: it certifies `[FINGERPRINT]`, ours is `[FINGERPRINT]`\n\
         hint: nothing was stored; try again: entra-ssh cert\n",
    ),
    (
        Variation::WrongTenant,
        "error: the certificate is from tenant `fab21ca0-0000-4000-8000-000000000002`, not \
         `c0a70500-0000-4000-8000-000000000001`\n\
         hint: nothing was stored; try again: entra-ssh cert\n",
    ),
    (
        Variation::Bearer,
        "error: expected an SSH certificate (`ssh-cert`) from Entra, and got a token of the type `Bearer`\n\
         hint: Entra issues no certificates to this identity: sign in as a user or a service principal with entra-ssh login\n",
    ),
    (
        Variation::Expired,
        "error: the certificate expired at [TIME], 1 h before this machine's clock ([TIME])\n\
         hint: check this machine's clock: timedatectl status\n",
    ),
    (
        Variation::NoPrincipals,
        "error: the certificate names no principal, so no login name is allowed with it\n\
         hint: ask an administrator of the tenant to give the account a user principal name\n",
    ),
    (
        Variation::Host,
        "error: this is a host certificate, not a user certificate\n\
         hint: nothing was stored; try again: entra-ssh cert\n",
    ),
    (
        Variation::NotYetValid,
        "error: the certificate is valid from [TIME], 1 h after this machine's clock ([TIME])\n\
         hint: check this machine's clock: timedatectl status\n",
    ),
];

/// Tries each fault, and what `cert show` says after it.
fn try_faults(world: &World, after: impl Fn()) {
    for (variation, expected) in FAULTS {
        world.sandbox.fault(Fault::certificate(variation));
        let output = world.entra_ssh(&["cert", "--file", "refused-cert.pub"]);
        output.ended_with(1);
        // A second may pass between two looks at the clock.
        let said = world.filtered(&output).replace("59 min after", "1 h after");
        assert_eq!(said, expected, "{variation:?}");
        assert_eq!(output.stdout, "", "{variation:?}");
        assert!(
            !world.home().join("refused-cert.pub").exists(),
            "{variation:?}"
        );
        after();
    }
}

fn refuse_each_wrong_certificate(login: impl Fn(&World)) {
    let world = World::with(options_with(&[]));
    login(&world);
    try_faults(&world, || {
        world.assert_refused(
            &["cert", "show"],
            1,
            "error: no valid certificate in the keyring\nhint: acquire one: entra-ssh cert\n",
        );
        assert!(world.keyring_files().iter().all(|(kind, _)| *kind != 3));
    });
    let good = world.json(&["cert"]);
    let keyring = || {
        fs::read(
            &world
                .keyring_files()
                .iter()
                .find(|(kind, _)| *kind == 3)
                .unwrap()
                .1,
        )
        .unwrap()
    };
    let before = keyring();
    try_faults(&world, || {
        assert!(keyring() == before, "the good certificate was replaced");
        assert_eq!(
            world.json(&["cert", "show"])["public_key_fingerprint"],
            good["public_key_fingerprint"]
        );
    });
}

#[test]
fn reject_each_wrong_certificate_for_a_person_and_store_nothing() {
    refuse_each_wrong_certificate(|world| drop(world.login(ADA)));
}

#[test]
fn reject_each_wrong_certificate_for_a_service_principal_and_store_nothing() {
    refuse_each_wrong_certificate(|world| drop(world.login_deploy()));
}

#[test]
fn reject_each_wrong_certificate_for_a_key_of_ones_own() {
    let world = World::signed_in(options_with(&[]));
    let keygen = world
        .program("ssh-keygen")
        .args(["-q", "-N", "", "-t", "rsa", "-b", "2048", "-f", "key"]);
    keygen.run().succeeded();
    for (variation, expected) in FAULTS {
        world.sandbox.fault(Fault::certificate(variation));
        let output = world.entra_ssh(&["cert", "--public-key-file", "key.pub"]);
        output.ended_with(1);
        let said = world.filtered(&output).replace("59 min after", "1 h after");
        assert_eq!(said, expected, "{variation:?}");
        assert!(!world.home().join("key-cert.pub").exists(), "{variation:?}");
    }
}

#[test]
fn what_is_no_certificate_is_not_explained() {
    let world = World::with(options_with(&[]));
    let home = world.home();
    fs::write(home.join("empty"), "").unwrap();
    fs::write(home.join("noise"), [0xff, 0xfe, 0x00]).unwrap();
    fs::write(
        home.join("cut"),
        "ssh-rsa-cert-v01@openssh.com AAAAHHNzaC1yc2EtY2VydC12MDFAb3BlbnNzaC5jb20=",
    )
    .unwrap();
    fs::write(
        home.join("key.pub"),
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB/Jk1ajtLhYCq8M9pT9H5RTlmmh3RbvbrzGvE/2lZHG",
    )
    .unwrap();
    for (file, expected) in [
        (
            "key.pub",
            "error: cannot explain `key.pub`\ncaused by: this is a plain `ssh-ed25519` key, not a certificate\n\
             hint: name the file that ends in -cert.pub\n",
        ),
        (
            "missing",
            "error: cannot read `missing`\ncaused by: entity not found\n",
        ),
    ] {
        world.assert_refused(&["cert", "show", file], 1, expected);
    }
    for file in ["empty", "noise", "cut"] {
        let output = world.entra_ssh(&["cert", "show", file]);
        output.ended_with(1);
        assert!(output.stderr.starts_with("error: cannot "), "{output}");
        assert!(!output.stderr.contains("panicked"), "{output}");
    }
}
