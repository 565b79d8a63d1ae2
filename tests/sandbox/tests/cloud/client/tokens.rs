//! Signing in: tokens and certificates.

use std::io::Write as _;
use std::process::{Command, Stdio};

use sandbox::Sandbox;
use serde_json::{Value, json};

use super::{ARM_SCOPE, AZURE_CLI, Answer, DEVICE_CODE, post_form};

const SIGN_IN_SCOPE: &str =
    "ce6ff14a-7fdc-4685-bbe0-f6afdfcfa8e0/.default offline_access openid profile";

/// Signs a user in by device code, and returns the token endpoint's answer.
pub(crate) fn sign_in(sandbox: &Sandbox, tenant: &str, upn: &str, scope: &str) -> Answer {
    let started = post_form(
        sandbox,
        &format!("/{tenant}/oauth2/v2.0/devicecode"),
        &[("client_id", AZURE_CLI), ("scope", scope)],
    )
    .json();
    sandbox
        .approve(started["user_code"].as_str().unwrap(), upn)
        .unwrap();
    post_form(
        sandbox,
        &format!("/{tenant}/oauth2/v2.0/token"),
        &[
            ("client_id", AZURE_CLI),
            ("grant_type", DEVICE_CODE),
            ("device_code", started["device_code"].as_str().unwrap()),
            ("client_info", "1"),
        ],
    )
}

/// Returns an ARM token of a user.
pub(crate) fn arm_token(sandbox: &Sandbox, tenant: &str, upn: &str) -> String {
    let answer = sign_in(sandbox, tenant, upn, ARM_SCOPE).json();
    answer["access_token"].as_str().unwrap().to_owned()
}

/// Returns a JWK for a new RSA key, with everything a certificate is asked for with.
pub(crate) fn jwk() -> (String, &'static str) {
    // The numbers of a key that nobody has; certificates are not used to log in here.
    let mut modulus = vec![0_u8, 0xc5];
    modulus.extend((0..255_u8).map(|byte| byte ^ 0x5a));
    let n = base64::Engine::encode(&base64::prelude::BASE64_URL_SAFE, modulus);
    let jwk = json!({"kty": "RSA", "n": n, "e": "AQAB", "kid": "key-1"});
    (jwk.to_string(), "key-1")
}

/// Asks for a certificate with a refresh token.
pub(crate) fn certificate(sandbox: &Sandbox, tenant: &str, refresh_token: &str) -> Value {
    let (jwk, key_id) = jwk();
    post_form(
        sandbox,
        &format!("/{tenant}/oauth2/v2.0/token"),
        &[
            ("client_id", AZURE_CLI),
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh_token),
            ("scope", SIGN_IN_SCOPE),
            ("token_type", "ssh-cert"),
            ("req_cnf", &jwk),
            ("key_id", key_id),
            ("client_info", "1"),
        ],
    )
    .json()
}

/// Returns what `ssh-keygen -L` says of a certificate.
#[expect(clippy::disallowed_methods, reason = "`ssh-keygen` is the judge here")]
pub(crate) fn explained(answer: &Value) -> String {
    assert_eq!(answer["token_type"], "ssh-cert", "{answer}");
    let blob = answer["access_token"].as_str().unwrap();
    let mut keygen = Command::new("ssh-keygen")
        .args(["-L", "-f", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    writeln!(
        keygen.stdin.take().unwrap(),
        "ssh-rsa-cert-v01@openssh.com {blob}"
    )
    .unwrap();
    let output = keygen.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

pub(crate) fn refresh_token(sandbox: &Sandbox, tenant: &str, upn: &str) -> String {
    let answer = sign_in(sandbox, tenant, upn, SIGN_IN_SCOPE).json();
    answer["refresh_token"].as_str().unwrap().to_owned()
}
