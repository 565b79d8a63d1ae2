//! `cert` and `cert show`, with OpenSSH's `ssh-keygen` as the judge.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use sandbox::{Fault, Variation};
use serde_json::Value;

use crate::world::{ADA, DEPLOY, World, mode, options_with};

/// What `ssh-keygen -L` says about a certificate file.
#[derive(Debug)]
struct Listing {
    fields: BTreeMap<String, String>,
    lists: BTreeMap<String, Vec<String>>,
}

impl Listing {
    fn of(world: &World, file: &Path) -> Self {
        let output = world
            .program("ssh-keygen")
            .args(["-L", "-f"])
            .arg(file)
            .run();
        output.succeeded();
        let (mut fields, mut lists) = (BTreeMap::new(), BTreeMap::new());
        let mut title = String::new();
        for line in output.stdout.lines().skip(1) {
            if let Some(item) = line.strip_prefix("                ") {
                let list: &mut Vec<String> = lists.entry(title.clone()).or_default();
                list.push(item.to_owned());
                continue;
            }
            let (name, value) = line.trim().split_once(':').unwrap();
            name.clone_into(&mut title);
            fields.insert(title.clone(), value.trim().to_owned());
        }
        Self { fields, lists }
    }

    fn field(&self, name: &str) -> &str {
        &self.fields[name]
    }

    fn list(&self, name: &str) -> Vec<String> {
        self.lists.get(name).cloned().unwrap_or_default()
    }

    /// Returns names and values of options; what `ssh-keygen` does not know it prints in hex, as an RFC 4251 string.
    fn options(&self, name: &str) -> BTreeMap<String, String> {
        let option = |line: String| match line.split_once(" UNKNOWN OPTION: ") {
            Some((name, rest)) => {
                let hex = rest.split(' ').next().unwrap();
                let bytes: Vec<u8> = (0..hex.len())
                    .step_by(2)
                    .map(|index| u8::from_str_radix(&hex[index..index + 2], 16).unwrap())
                    .collect();
                (
                    name.to_owned(),
                    String::from_utf8(bytes[4..].to_vec()).unwrap(),
                )
            }
            None => (line, String::new()),
        };
        self.list(name).into_iter().map(option).collect()
    }
}

/// Compares what we say about a certificate with what `ssh-keygen -L` says, field by field.
#[track_caller]
fn assert_agrees(listing: &Listing, shown: &Value) {
    let text = |name: &str| {
        shown[name]
            .as_str()
            .unwrap_or_else(|| panic!("{name}: {shown}"))
    };
    let kind = format!(
        "{} {} certificate",
        text("key_type"),
        text("certificate_type")
    );
    assert_eq!(listing.field("Type"), kind);
    let public_key = format!("RSA-CERT {}", text("public_key_fingerprint"));
    assert_eq!(listing.field("Public key"), public_key);
    let authority = format!(
        "{} {} (using {})",
        text("ca_key_type"),
        text("ca_fingerprint"),
        text("signature_algorithm")
    );
    assert_eq!(listing.field("Signing CA"), authority);
    assert_eq!(listing.field("Key ID"), format!("\"{}\"", text("key_id")));
    assert_eq!(
        listing.field("Serial"),
        shown["serial"].as_u64().unwrap().to_string()
    );
    let time = |name: &str| text(name).strip_suffix('Z').unwrap();
    let validity = format!("from {} to {}", time("valid_after"), time("valid_before"));
    assert_eq!(listing.field("Valid"), validity);
    let principals: Vec<String> = serde_json::from_value(shown["principals"].clone()).unwrap();
    assert_eq!(listing.list("Principals"), principals);
    for (title, name) in [
        ("Critical Options", "critical_options"),
        ("Extensions", "extensions"),
    ] {
        let options: BTreeMap<String, String> =
            serde_json::from_value(shown[name].clone()).unwrap();
        assert_eq!(listing.options(title), options, "{title}");
    }
}

#[test]
fn ssh_keygen_reads_the_file_and_agrees_field_by_field() {
    let world = World::with(options_with(&[]));
    for account in [ADA, "linus@fabrikam.example", DEPLOY] {
        if account == DEPLOY {
            world.login_deploy();
        } else {
            world.login(account);
        }
        let file = world.home().join("the-cert.pub");
        let path = file.to_str().unwrap();
        let issued = world.json(&["cert", "--file", path]);
        assert_eq!(mode(&file), 0o644);
        let listing = Listing::of(&world, &file);
        let shown = world.json(&["cert", "show", path]);
        assert_agrees(&listing, &shown);
        assert_eq!(shown["file"], path);
        assert_eq!(shown["principals"][0], account);
        assert_eq!(
            issued["public_key_fingerprint"],
            shown["public_key_fingerprint"]
        );
        let stored = world.json(&["cert", "show"]);
        assert_eq!(
            stored["public_key_fingerprint"],
            shown["public_key_fingerprint"]
        );
        assert_eq!(stored["file"], Value::Null);
        let remaining = shown["remaining_seconds"].as_u64().unwrap();
        assert!((3500..=3600).contains(&remaining), "{remaining}");
    }
}

#[test]
fn cert_show_says_in_text_what_ssh_keygen_says() {
    let world = World::with(options_with(&[]));
    world.login(ADA);
    let file = world.home().join("the-cert.pub");
    world
        .entra_ssh(&["cert", "--file", file.to_str().unwrap()])
        .succeeded();
    let ours = world.entra_ssh(&["cert", "show", file.to_str().unwrap()]);
    let listing = Listing::of(&world, &file);
    for title in ["Type", "Public key", "Signing CA", "Key ID", "Serial"] {
        let line = format!("{title}: {}\n", listing.field(title));
        assert!(ours.stdout.contains(&line), "{line} in {ours}");
    }
    assert!(
        ours.stdout
            .contains("Principals:\n        ada@contoso.example\n"),
        "{ours}"
    );
    assert!(ours.stdout.contains("Critical Options: (none)\n"), "{ours}");
    assert!(ours.stdout.contains("        permit-pty\n"), "{ours}");
    assert!(
        ours.stdout
            .contains("        displayname@sshservice.azure.net Ada Lovelace\n"),
        "{ours}"
    );
}

#[test]
fn cert_show_explains_certificates_that_others_made() {
    let world = World::with(options_with(&[]));
    let keygen = |arguments: &[&str]| {
        world
            .program("ssh-keygen")
            .arg("-q")
            .args(arguments)
            .run()
            .succeeded();
    };
    keygen(&["-t", "ed25519", "-N", "", "-f", "ca"]);
    keygen(&["-t", "rsa", "-b", "2048", "-N", "", "-f", "key"]);
    keygen(&[
        "-s",
        "ca",
        "-I",
        "a host",
        "-h",
        "-n",
        "web01,web01.example",
        "-z",
        "18446744073709551615",
        "-V",
        "20200101:20200201",
        "key.pub",
    ]);
    let file = world.home().join("key-cert.pub");
    let shown = world.json(&["cert", "show", "key-cert.pub"]);
    assert_agrees(&Listing::of(&world, &file), &shown);
    assert_eq!(shown["certificate_type"], "host");
    assert_eq!(shown["remaining_seconds"], 0);
    keygen(&[
        "-s",
        "ca",
        "-I",
        "a user",
        "-O",
        "force-command=uptime",
        "-O",
        "source-address=10.0.0.0/8",
        "-O",
        "no-pty",
        "-n",
        "ada",
        "-V",
        "always:forever",
        "key.pub",
    ]);
    let shown = world.json(&["cert", "show", "key-cert.pub"]);
    assert_eq!(shown["critical_options"]["force-command"], "uptime");
    assert_eq!(shown["critical_options"]["source-address"], "10.0.0.0/8");
    assert_eq!(shown["valid_before"], "forever");
    assert_eq!(shown["ca_key_type"], "ED25519");
}

#[test]
fn a_key_of_ones_own_is_certified_where_ssh_looks_for_it() {
    let world = World::with(options_with(&["web01"]));
    world.login(ADA);
    let folder = world.make_ssh_folder();
    let key = folder.join("id_rsa");
    world
        .program("ssh-keygen")
        .args(["-q", "-t", "rsa", "-b", "2048", "-N", "", "-f"])
        .arg(&key)
        .run()
        .succeeded();
    let public = folder.join("id_rsa.pub");
    let before = [&key, &public].map(|file| {
        (
            fs::read(file).unwrap(),
            fs::metadata(file).unwrap().modified().unwrap(),
        )
    });
    let output = world.entra_ssh(&["cert", "--public-key-file", public.to_str().unwrap()]);
    output.succeeded();
    let after = [&key, &public].map(|file| {
        (
            fs::read(file).unwrap(),
            fs::metadata(file).unwrap().modified().unwrap(),
        )
    });
    assert!(before == after, "the key was touched");
    let certificate = folder.join("id_rsa-cert.pub");
    assert_eq!(mode(&certificate), 0o644);
    let shown = world.json(&["cert", "show", certificate.to_str().unwrap()]);
    assert_agrees(&Listing::of(&world, &certificate), &shown);
    let fingerprint = world
        .program("ssh-keygen")
        .args(["-l", "-f"])
        .arg(&public)
        .run();
    let fingerprint = fingerprint.stdout.split(' ').nth(1).unwrap().to_owned();
    assert_eq!(shown["public_key_fingerprint"], fingerprint);
    let stored = world.entra_ssh(&["cert", "show"]);
    stored.ended_with(1);

    let proxy = format!(
        "ProxyCommand={} proxy --no-certificate --port %p {}",
        crate::world::program().display(),
        world.machine("web01")
    );
    let login = world
        .program("ssh")
        .args([
            "-F",
            "none",
            "-o",
            "StrictHostKeyChecking=no",
            "-o",
            "UserKnownHostsFile=/dev/null",
        ])
        .args([
            "-o",
            &proxy,
            "-o",
            "IdentitiesOnly=yes",
            "-o",
            "IdentityAgent=none",
            "-i",
        ])
        .arg(&key)
        .args(["-l", ADA, "web01", "echo in"])
        .run();
    login.succeeded();
    assert_eq!(login.stdout, "in\n");
}

#[test]
fn keys_that_entra_does_not_certify_are_refused_before_it_is_asked() {
    let world = World::with(options_with(&[]));
    world.login(ADA);
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
             hint: make a longer one: ssh-keygen -t rsa -b 3072\n",
        ),
        (
            "short",
            2,
            "error: `short` holds a private key\nhint: name the public half: short.pub\n",
        ),
    ] {
        let output = world.entra_ssh(&["cert", "--public-key-file", file]);
        output.ended_with(status);
        assert_eq!(world.filtered(&output), expected);
    }
    assert_eq!(world.token_requests(), 0);
    assert!(!world.home().join("ec-cert.pub").exists());
    assert!(!world.home().join("short-cert.pub").exists());
}

#[test]
fn what_is_odd_about_a_certificate_is_said_once_when_it_is_issued() {
    let world = World::with(options_with(&["web01", "vm01"]));
    world.login(ADA);
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
        "error: the certificate is of the tenant `fab21ca0-0000-4000-8000-000000000002`, and \
         `c0a70500-0000-4000-8000-000000000001` was asked for it\n\
         hint: nothing was stored; try again: entra-ssh cert\n",
    ),
    (
        Variation::Bearer,
        "error: Entra was asked for an SSH certificate (`ssh-cert`) and gave a token of the type `Bearer`\n\
         hint: this identity gets no certificates: sign in as a person or a service principal with entra-ssh login\n",
    ),
    (
        Variation::Expired,
        "error: the certificate expired at [TIME], 1 h before this machine's clock ([TIME])\n\
         hint: check this machine's clock: timedatectl status\n",
    ),
    (
        Variation::NoPrincipals,
        "error: the certificate names no principal, so no login name is allowed with it\n\
         hint: the account needs a user principal name: ask an administrator of the tenant\n",
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
        let shown = world.entra_ssh(&["cert", "show"]);
        shown.ended_with(1);
        assert_eq!(
            world.filtered(&shown),
            "error: there is no certificate in the keyring, or it is over\nhint: issue one: entra-ssh cert\n"
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
    let world = World::with(options_with(&[]));
    world.login(ADA);
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
        let output = world.entra_ssh(&["cert", "show", file]);
        output.ended_with(1);
        assert_eq!(world.filtered(&output), expected);
    }
    for file in ["empty", "noise", "cut"] {
        let output = world.entra_ssh(&["cert", "show", file]);
        output.ended_with(1);
        assert!(output.stderr.starts_with("error: cannot "), "{output}");
        assert!(!output.stderr.contains("panicked"), "{output}");
    }
}
