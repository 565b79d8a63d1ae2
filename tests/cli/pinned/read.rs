//! Today's program and the files of version 0.1.0.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sandbox::{Options, Workload};
use serde_json::Value;

use super::entries::Bytes;
use super::record::{ENTRIES, FABRIKAM, PROFILES, host_names, within};
use super::{Version, pinned, pinned_json};
use crate::world::{ADA, CONTOSO, DEPLOY, DEPLOY_SECRET, World, options, program};

/// The kinds of entries, as their second byte says.
const REFRESH_TOKEN: u8 = 1;
const CLIENT_CERTIFICATE: u8 = 4;
const OIDC_REQUEST: u8 = 5;

/// Returns a world whose Entra trusts the client certificate that version 0.1.0 kept.
fn world() -> World {
    let mut options = Options {
        certifies_ed25519: true,
        ..options()
    };
    let (_, entry) = pinned_entries()
        .into_iter()
        .find(|(_, bytes)| bytes.kind == CLIENT_CERTIFICATE)
        .unwrap();
    let deploy = options.service_principals.iter_mut();
    let mut deploy = deploy.filter(|principal| principal.client_id == DEPLOY);
    let certificates = &mut deploy.next().unwrap().certificates;
    certificates.push(format!(
        "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
        BASE64_STANDARD.encode(&entry.fields[1])
    ));
    World::with(options)
}

/// Returns the entries of the keyring of version 0.1.0.
fn pinned_entries() -> BTreeMap<String, Bytes> {
    let files = pinned().into_iter();
    files
        .filter(|(name, _)| name.starts_with(ENTRIES))
        .map(|(_, text)| {
            let entry: Value = serde_json::from_str(&text).unwrap();
            let name = entry["name"].as_str().unwrap().to_owned();
            (name, Bytes::pinned(&entry))
        })
        .collect()
}

/// Puts the files of version 0.1.0 into a home folder. In the entries of the keyring, what the sandbox of then issued gives way
/// to what today's has issued; all else stays as it was written.
fn install(today: &Version<'_>) {
    let world = today.world;
    let tokens = refresh_tokens(today);
    let folder = world.keyring_folder();
    make_folder(&folder);
    for (name, mut bytes) in pinned_entries() {
        match bytes.kind {
            REFRESH_TOKEN => {
                let account = name.split(' ').next_back().unwrap();
                bytes.fields[0].clone_from(&tokens[account]);
            }
            OIDC_REQUEST => bytes.fields = oidc_request(world, &name),
            _ => {}
        }
        bytes.write(&folder, &today.actual(&name));
    }
    for (name, text) in pinned() {
        let Some(name) = name.strip_prefix("home/") else {
            continue;
        };
        let path = world.home().join(name);
        make_folder(path.parent().unwrap());
        fs::write(&path, today.actual(&text)).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }
    world.sandbox.write_federated_token().unwrap();
}

pub(super) fn make_folder(folder: &std::path::Path) {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .unwrap();
}

/// Returns a refresh token for each user, by account. Nothing else is left of getting them.
fn refresh_tokens(today: &Version<'_>) -> BTreeMap<String, Vec<u8>> {
    let world = today.world;
    let users = [ADA, "grace.hopper@contoso.example", "radia@contoso.example"];
    let tokens = users.map(|upn| {
        today.login(upn, &[]);
        let files = world.keyring_files();
        let (_, file) = files
            .iter()
            .find(|(kind, _)| *kind == REFRESH_TOKEN)
            .unwrap();
        let token = Bytes::read(&fs::read(file).unwrap()).fields.remove(0);
        today.run(&["logout"]);
        (upn.to_owned(), token)
    });
    assert!(world.keyring_files().is_empty());
    tokens.into()
}

/// Returns what a pipeline of today's sandbox asks for an ID token with: the address, and what opens it.
fn oidc_request(world: &World, name: &str) -> Vec<Vec<u8>> {
    let (workload, url, token) = if name.ends_with(" github-actions") {
        (
            Workload::GitHubActions,
            "ACTIONS_ID_TOKEN_REQUEST_URL",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
        )
    } else {
        (
            Workload::AzurePipelines,
            "SYSTEM_OIDCREQUESTURI",
            "SYSTEM_ACCESSTOKEN",
        )
    };
    let variables = world.sandbox.environment(workload);
    let value = |name: &str| {
        let found = variables.iter().find(|(variable, _)| *variable == name);
        found.unwrap().1.clone().into_bytes()
    };
    vec![value(url), value(token)]
}

#[test]
fn each_profile_of_version_0_1_0_is_signed_in_and_gets_certificates() {
    let world = world();
    let today = Version::new(&world, program());
    install(&today);
    world.sandbox.clear_requests();
    // Every profile is shown as it was, with the keys and certificates of then.
    let old = pinned_json("json/status.json");
    let new = today.run(&["status", "-o", "json"]).json();
    super::assert_holds("status", &old["profiles"], &new["profiles"]);
    let rows = old["profiles"].as_array().unwrap().iter();
    let rows: Vec<_> = rows.zip(new["profiles"].as_array().unwrap()).collect();
    for (old, new) in &rows {
        for field in ["public_key_fingerprint", "valid_after", "valid_before"] {
            assert_eq!(
                old["certificate"][field], new["certificate"][field],
                "{new}"
            );
        }
    }
    let shown = today.run(&["cert", "show", "-o", "json"]).json();
    let pinned = pinned_json("json/rotate-force.json");
    assert_eq!(
        shown["public_key_fingerprint"],
        pinned[0]["certificate"]["public_key_fingerprint"]
    );
    assert!(world.requests(|_| true).is_empty(), "nothing was asked for");
    // The agent serves them.
    today.run(&["rotate"]);
    let listed = world.ssh_add("-l");
    let fingerprint = shown["public_key_fingerprint"].as_str().unwrap();
    assert!(listed.stdout.contains(fingerprint), "{listed}");
    assert_eq!(world.certificate_requests(), 0);
    // And each signs in.
    world
        .program("ssh-keygen")
        .args(["-q", "-t", "rsa", "-b", "2048", "-N", "", "-f", "key"])
        .run()
        .succeeded();
    for (number, (old, _)) in rows.iter().enumerate() {
        let profile = old["name"].as_str().unwrap();
        let certify = [
            "--profile",
            profile,
            "cert",
            "--public-key-file",
            "key.pub",
            "-o",
            "json",
        ];
        let certify = within(&today, Workload::AppService, today.command(&certify)).run();
        certify.succeeded();
        assert_eq!(
            certify.json()["principals"][0].as_str().unwrap(),
            old["account"].as_str().unwrap().to_lowercase(),
            "{profile}"
        );
        assert_eq!(world.certificate_requests(), number + 1, "{profile}");
    }
    let guest = [
        "--profile",
        "guest",
        "rotate",
        "--force",
        "--tenant",
        FABRIKAM,
    ];
    today.run(&guest);
    // Whoever uses a profile does not change it.
    for (name, old) in super::pinned() {
        if let Some(name) = name.strip_prefix(&format!("home/{PROFILES}/")) {
            let file = world.home().join(PROFILES).join(name);
            assert_eq!(today.regular(&fs::read_to_string(file).unwrap()), old);
        }
    }
}

#[test]
fn the_ssh_config_of_version_0_1_0_is_read_and_stays_as_it_is() {
    let world = world();
    let today = Version::new(&world, program());
    install(&today);
    world.sandbox.clear_requests();
    let old = fs::read_to_string(world.managed_config()).unwrap();
    let assert_unchanged = || {
        let new = fs::read_to_string(world.managed_config()).unwrap();
        assert_eq!(new, old);
    };
    let list = pinned_json("json/config-list.json");
    let listed = today.run(&["config", "list", "-o", "json"]).json();
    super::assert_holds("config list", &list, &listed);
    for row in list.as_array().unwrap() {
        let host = row["host"].as_str().unwrap();
        let shown = today.run(&["config", "show", host, "-o", "json"]);
        let shown = serde_json::from_str(&today.regular(&shown.stdout)).unwrap();
        let old = pinned_json(&format!("json/config-show-{host}.json"));
        super::assert_holds(host, &old, &shown);
        assert_eq!(shown["options"], old["options"], "{host}");
    }
    assert_unchanged();
    assert!(world.requests(|_| true).is_empty(), "nothing was asked for");
    // What is added again, or written anew, is the same.
    let again = today.run(&["config", "add", "web01", "-o", "json"]).json();
    assert_eq!(again[0]["change"], "unchanged");
    assert_unchanged();
    today.run(&["config", "refresh"]);
    assert_unchanged();
    // Only the block that is removed goes.
    today.run(&["config", "remove", "web01"]);
    let new = fs::read_to_string(world.managed_config()).unwrap();
    let (before, block) = old
        .split_once("# >>> entra-ssh {\"host\":\"web01\"")
        .unwrap();
    let (_, after) = block.split_once("# <<< entra-ssh\n").unwrap();
    assert_eq!(new, format!("{before}{after}"));
}

#[test]
fn hosts_of_version_0_1_0_are_reached_and_known_by_their_names() {
    let world = world();
    let today = Version::new(&world, program());
    install(&today);
    // Those were issued by the Entra of then, which today's machines do not trust.
    let rotate = today.command(&["rotate", "--all", "--force"]);
    within(&today, Workload::AppService, rotate)
        .run()
        .succeeded();
    for host in ["web01", "file"] {
        world.ssh(host, "true").succeeded();
    }
    let port = world.sandbox.machine_address("vm01").unwrap().port();
    let vm01 = world.ssh_command(&["-p", &port.to_string(), "vm01", "true"]);
    vm01.run().succeeded();
    let known_hosts = world.home().join(".ssh/entra-ssh/known_hosts");
    let known_hosts = fs::read_to_string(known_hosts).unwrap();
    assert_eq!(host_names(&known_hosts), pinned()["known-hosts"]);
}

#[test]
fn the_last_failure_that_version_0_1_0_met_is_told() {
    let world = world();
    let today = Version::new(&world, program());
    install(&today);
    let told = today.run(&["why", "-o", "json"]).json();
    let old = pinned_json("json/why.json");
    super::assert_holds("why", &old, &told);
    let old = &old["failure"];
    assert_eq!(told["failure"]["error"], old["error"]);
    let text = today.run(&["why"]).stdout;
    for line in [&old["error"], &old["causes"][0], &old["hint"]] {
        assert!(text.contains(line.as_str().unwrap()), "{text}");
    }
}

#[test]
fn a_profile_that_an_older_version_made_of_variables_gives_way_to_them() {
    let world = world();
    let today = Version::new(&world, program());
    install(&today);
    let folder = world.home().join(PROFILES);
    let mut profile: Value =
        serde_json::from_str(&fs::read_to_string(folder.join("secret.json")).unwrap()).unwrap();
    for file in fs::read_dir(&folder).unwrap() {
        fs::remove_file(file.unwrap().path()).unwrap();
    }
    profile["name"] = "default".into();
    profile["environment"] = "00".repeat(32).into();
    let file = folder.join("default.json");
    fs::write(&file, profile.to_string()).unwrap();
    let name = format!("sign-in [CLOUD] {CONTOSO} {DEPLOY}");
    let entry = super::entries::file_name(&today.actual(&name));
    let entry = world.keyring_folder().join(entry);
    assert!(entry.exists());
    let output = today
        .command(&["cert", "-o", "json"])
        .env("AZURE_CLIENT_ID", DEPLOY)
        .env("AZURE_TENANT_ID", CONTOSO)
        .env("AZURE_CLIENT_SECRET", DEPLOY_SECRET)
        .run();
    output.succeeded();
    assert_eq!(output.json()["principals"][0], DEPLOY);
    assert!(!file.exists() && !entry.exists(), "{output}");
}
