//! The main job with everything real: `ssh`, `scp`, `sshd`, GNOME Keyring.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use entra_ssh::internal::agent::ask::{RelayQuestion, Tenancy};
use entra_ssh::internal::agent::client::AgentClient;
use entra_ssh::internal::host::env::Env;
use sandbox::{Options, Role};

use crate::world::{
    ADA, GRACE, Process, World, contains, files_below, mode, noise, options_with_sshd, wait_for,
};

const FIVE_MIB: usize = 5 * 1024 * 1024;

fn real_sshd() -> Options {
    let mut options = options_with_sshd(&["web01"]);
    for user in &mut options.users {
        // May fetch relay credentials, and may not log in.
        if user.upn.starts_with("radia") {
            user.role = Role::LocalUser;
        }
    }
    options
}

/// What must be nowhere but in the keyring and in memory: a name and the bytes.
fn secrets(world: &World) -> Vec<(&'static str, Vec<u8>)> {
    let refresh_token = string_at(&world.secret("sign-in "), 2);
    let pkcs1 = string_at(&world.secret("certificate "), 2);
    let (access_key, service_configuration_token) = relay_credentials(world);
    assert!(refresh_token.len() > 20 && pkcs1.len() > 1000);
    assert!(access_key.starts_with(b"SharedAccessSignature"));
    assert!(service_configuration_token.starts_with(b"eyJ"));
    // Of the key, parts do, wherever they begin: behind the modulus, which is public, all of it is secret.
    let part = pkcs1[pkcs1.len() - 400..pkcs1.len() - 340].to_vec();
    let base64_of_parts = (0..3).map(|shift| {
        let text = STANDARD.encode(&part[shift..]);
        // The last digits depend on what follows.
        text.as_bytes()[..60].to_vec()
    });
    let mut secrets = vec![
        ("a private key in PEM", b"PRIVATE KEY".to_vec()),
        ("a private key of OpenSSH", b"openssh-key-v1".to_vec()),
        ("the private key", part.clone()),
        ("a relay token", b"SharedAccessSignature".to_vec()),
        ("the relay token", access_key),
        ("a JSON Web Token", b"eyJ".to_vec()),
        (
            "the service configuration token",
            service_configuration_token,
        ),
        ("the refresh token", refresh_token),
    ];
    secrets.extend(base64_of_parts.map(|text| ("the private key in base64", text)));
    secrets
}

/// Reads the RFC 4251 string that begins after so many bytes.
fn string_at(bytes: &[u8], start: usize) -> Vec<u8> {
    let length = u32::from_be_bytes(bytes[start..start + 4].try_into().unwrap());
    let length = usize::try_from(length).unwrap();
    bytes[start + 4..start + 4 + length].to_vec()
}

/// Asks the agent for what it holds for web01.
fn relay_credentials(world: &World) -> (Vec<u8>, Vec<u8>) {
    let question = RelayQuestion {
        profile: "default".parse().unwrap(),
        tenancy: Tenancy::Home,
        machine: world.machine("web01").parse().unwrap(),
        port: 22,
        refused: None,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let agent = AgentClient::new(world.socket(), Env::default());
    let answer = runtime.block_on(agent.relay_credentials(question));
    let credentials = answer.unwrap().credentials();
    let token = credentials.service_configuration_token.unwrap();
    (
        credentials.access_key.expose().as_bytes().to_vec(),
        token.expose().as_bytes().to_vec(),
    )
}

fn assert_no_secret_in_files(folder: &Path, secrets: &[(&str, Vec<u8>)]) {
    let keyring = folder.join(".local/share/keyrings");
    for file in files_below(folder) {
        if file.starts_with(&keyring) {
            continue;
        }
        let bytes = fs::read(&file).unwrap();
        for (name, secret) in secrets {
            assert!(!contains(&bytes, secret), "{name} is in {}", file.display());
        }
    }
}

fn assert_no_secret_in_processes(world: &World, secrets: &[(&str, Vec<u8>)]) {
    for process in world.processes() {
        for (name, secret) in secrets {
            let title = String::from_utf8_lossy(&process.command_line).replace('\0', " ");
            assert!(
                !contains(&process.command_line, secret),
                "{name} in {title}"
            );
            assert!(
                !contains(&process.environment, secret),
                "{name} around {title}"
            );
        }
    }
}

#[test]
fn real_ssh_logs_in_to_real_sshd_with_the_key_in_gnome_keyring_alone() {
    let world = World::with_gnome_keyring(real_sshd());
    let login = world.login(ADA);
    assert!(login.stdout.contains("the Secret Service"), "{login}");
    world.add(&["web01"]);

    let whoami = world.ssh("web01", "id -un; exit 3");
    whoami.ended_with(3);
    assert_eq!(whoami.stdout, "ada@contoso.example\n");

    let mut session = world.ssh_command(&["web01", "cat"]).open_stdin().start();
    session.write(b"hello\n");
    wait_for("the session", || session.stdout() == "hello\n");
    let secrets = secrets(&world);
    let processes = world.processes();
    assert!(processes.iter().any(Process::is_agent));
    assert!(processes.iter().any(Process::is_proxy));
    assert_no_secret_in_processes(&world, &secrets);
    assert_no_secret_in_files(&world.home(), &secrets);
    assert_no_secret_in_files(&world.runtime(), &secrets);
    session.close_stdin();
    session.finish().succeeded();

    let stored = world.secret_service.as_ref().unwrap().stored_bytes();
    for (name, secret) in &secrets {
        assert!(
            !contains(&stored, secret),
            "the keyring keeps {name} in plain"
        );
    }
    assert_eq!(mode(&world.socket()), 0o600);
    assert_eq!(mode(world.socket().parent().unwrap()), 0o700);

    world.entra_ssh(&["agent", "stop"]).succeeded();
    assert_no_secret_in_files(&world.home(), &secrets);
    assert_no_secret_in_files(&world.runtime(), &secrets);
}

#[test]
fn real_scp_copies_both_ways_byte_for_byte() {
    let world = World::with_gnome_keyring(real_sshd());
    world.login(ADA);
    world.add(&["web01"]);
    let (here, back) = (world.root().join("five"), world.root().join("back"));
    let bytes = noise(FIVE_MIB);
    fs::write(&here, &bytes).unwrap();
    // Accounts and their homes are the system's: another test may run on the same ones.
    let there = format!("entra-ssh-test-{}", std::process::id());
    let remote = format!("web01:{there}");
    let (here, back_text) = (here.to_str().unwrap(), back.to_str().unwrap());
    world.scp(&[here, &remote]).run().succeeded();
    let sum = world.ssh("web01", &format!("wc -c < {there}"));
    assert_eq!(sum.stdout.trim(), FIVE_MIB.to_string());
    world.scp(&[&remote, back_text]).run().succeeded();
    world.ssh("web01", &format!("rm {there}")).succeeded();
    assert!(fs::read(&back).unwrap() == bytes, "the copy differs");
}

#[test]
fn real_sshd_refuses_whom_its_principals_do_not_name() {
    let world = World::signed_in(real_sshd());
    world.add(&["web01"]);
    world.ssh("web01", "true").succeeded();
    // Grace may log in as Grace, and not as Ada; the certificate is hers.
    world.login(GRACE);
    world.add(&["web01"]);
    let herself = world.ssh("web01", "id -un");
    assert_eq!(
        herself.stdout, "grace.hopper@contoso.example\n",
        "{herself}"
    );
    let as_ada = world.ssh_command(&["-l", ADA, "web01", "id -un"]).run();
    as_ada.ended_with(255);
    assert!(
        as_ada.stderr.contains("Permission denied (publickey)"),
        "{as_ada}"
    );
    assert_eq!(as_ada.stdout, "");
    // Radia may reach the machine, and not log in to it.
    world.login("radia@contoso.example");
    world.add(&["web01"]);
    for user in ["radia@contoso.example", ADA] {
        let refused = world.ssh_command(&["-l", user, "web01", "id -un"]).run();
        refused.ended_with(255);
        assert!(
            refused.stderr.contains("Permission denied (publickey)"),
            "{refused}"
        );
    }
}
