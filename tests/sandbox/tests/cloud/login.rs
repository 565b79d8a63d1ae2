//! The whole way: a key, its certificate, and a command on a machine.

#![expect(
    clippy::disallowed_methods,
    reason = "OpenSSH's own programs are the judges here"
)]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE};
use sandbox::{Fault, Sandbox, Variation};
use serde_json::json;

use crate::client::{AZURE_CLI, SSH_SCOPE, post_form, sign_in, start};

/// Makes an RSA key and returns its JWK, with the numbers as the Azure CLI sends them.
fn key(folder: &Path) -> String {
    let file = folder.join("key");
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "rsa", "-b", "2048", "-N", "", "-f"])
        .arg(&file)
        .status()
        .unwrap();
    assert!(made.success());
    let line = fs::read_to_string(folder.join("key.pub")).unwrap();
    let blob = BASE64_STANDARD
        .decode(line.split(' ').nth(1).unwrap())
        .unwrap();
    let mut fields = Vec::new();
    let mut rest = blob.as_slice();
    while let Some((length, behind)) = rest.split_first_chunk::<4>() {
        let (field, behind) = behind.split_at(u32::from_be_bytes(*length) as usize);
        fields.push(BASE64_URL_SAFE.encode(field));
        rest = behind;
    }
    json!({"kty": "RSA", "e": fields[1], "n": fields[2], "kid": "key-1"}).to_string()
}

/// Signs a user in, and writes a certificate for a new key beside it.
fn certify(sandbox: &Sandbox, folder: &Path, upn: &str) {
    let jwk = key(folder);
    let tenant = &sandbox.description().tenant;
    let scope = format!("{SSH_SCOPE} offline_access");
    let signed_in = sign_in(sandbox, tenant, upn, &scope).json();
    let answer = post_form(
        sandbox,
        &format!("/{tenant}/oauth2/v2.0/token"),
        &[
            ("client_id", AZURE_CLI),
            ("grant_type", "refresh_token"),
            (
                "refresh_token",
                signed_in["refresh_token"].as_str().unwrap(),
            ),
            ("scope", &scope),
            ("token_type", "ssh-cert"),
            ("req_cnf", &jwk),
            ("key_id", "key-1"),
        ],
    )
    .json();
    let blob = answer["access_token"].as_str().unwrap();
    let certificate = format!("ssh-rsa-cert-v01@openssh.com {blob}\n");
    fs::write(folder.join("key-cert.pub"), certificate).unwrap();
}

/// Logs in to the VM with a new key and its certificate.
fn log_in(sandbox: &Sandbox, folder: &Path, upn: &str) -> Output {
    certify(sandbox, folder, upn);
    let port = sandbox.machine_address("vm01").unwrap().port();
    let host_key = sandbox.machine_host_key("vm01").unwrap();
    let known_hosts = folder.join("known_hosts");
    fs::write(&known_hosts, format!("[127.0.0.1]:{port} {host_key}\n")).unwrap();
    let user = sandbox.options().users.iter().find(|user| user.upn == upn);
    let membership = user.unwrap().membership(&sandbox.description().tenant);
    let login = membership.unwrap().upn.to_lowercase();
    Command::new("ssh")
        .args([
            "-F",
            "none",
            "-o",
            "BatchMode=yes",
            "-o",
            "IdentitiesOnly=yes",
        ])
        .args([
            "-o",
            "IdentityAgent=none",
            "-o",
            "StrictHostKeyChecking=yes",
        ])
        .arg("-o")
        .arg(format!("UserKnownHostsFile={}", known_hosts.display()))
        .arg("-i")
        .arg(folder.join("key"))
        .args(["-p", &port.to_string(), "-l", &login])
        .args(["127.0.0.1", "echo hello from $((6 * 7))"])
        .output()
        .unwrap()
}

#[test]
fn certificate_opens_the_machine_for_member_and_guest() {
    let sandbox = start();
    for upn in ["ada@contoso.example", "linus@fabrikam.example"] {
        let folder = tempfile::tempdir().unwrap();
        let output = log_in(&sandbox, folder.path(), upn);
        assert!(output.status.success(), "{output:?}");
        assert_eq!(output.stdout, b"hello from 42\n");
    }
}

#[test]
fn reader_and_faulty_certificates_stay_outside() {
    let sandbox = start();
    let folder = tempfile::tempdir().unwrap();
    let refused = |upn: &str| {
        let folder = folder.path().join(uuid::Uuid::new_v4().to_string());
        fs::create_dir(&folder).unwrap();
        let output = log_in(&sandbox, &folder, upn);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains("Permission denied"), "{said}");
    };
    refused("radia@contoso.example");
    for variation in [
        Variation::Expired,
        Variation::Host,
        Variation::NoPrincipals,
        Variation::NotYetValid,
        Variation::WrongKey,
    ] {
        sandbox.fault(Fault::certificate(variation));
        refused("ada@contoso.example");
    }
}
