//! `cert` and `cert show`, with OpenSSH's `ssh-keygen` as the judge.

mod refusals;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

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
    let world = World::signed_in(options_with(&[]));
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
    let world = World::signed_in(options_with(&["web01"]));
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
    world
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
        .run()
        .printed("in\n");
}
