//! Service principals that sign their assertions with a certificate's key.

#![expect(
    clippy::disallowed_methods,
    reason = "`ssh-keygen` makes the key, as nothing else here can"
)]

use std::process::Command;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding, RsaKeyPair};
use sandbox::{Options, Sandbox};
use serde_json::{Value, json};

use crate::client::{ARM_SCOPE, post_form};

/// Makes an RSA key, as PKCS #8.
fn key() -> KeyPair {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    let made = Command::new("ssh-keygen")
        .args([
            "-q", "-t", "rsa", "-b", "2048", "-m", "PKCS8", "-N", "", "-f",
        ])
        .arg(&file)
        .status()
        .unwrap();
    assert!(made.success());
    let pem = std::fs::read_to_string(file).unwrap();
    KeyPair::from_pkcs8_pem_and_sign_algo(&pem, &PKCS_RSA_SHA256).unwrap()
}

/// Signs an assertion, and returns what the token endpoint says to it.
fn ask(
    sandbox: &Sandbox,
    key: &KeyPair,
    algorithm: (&str, &'static dyn RsaEncoding),
    audience: &str,
) -> Value {
    let principal = &sandbox.options().service_principals[0];
    let part = |json: Value| BASE64_URL_SAFE_NO_PAD.encode(json.to_string());
    let claims = json!({
        "iss": principal.client_id,
        "sub": principal.client_id,
        "aud": audience,
        "exp": 4_000_000_000_u64,
    });
    let header = json!({"typ": "JWT", "alg": algorithm.0});
    let signed = format!("{}.{}", part(header), part(claims));
    let pair = RsaKeyPair::from_pkcs8(key.serialized_der()).unwrap();
    let mut signature = vec![0; pair.public().modulus_len()];
    let random = SystemRandom::new();
    pair.sign(algorithm.1, &random, signed.as_bytes(), &mut signature)
        .unwrap();
    let assertion = format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature));
    post_form(
        sandbox,
        &format!("/{}/oauth2/v2.0/token", principal.tenant),
        &[
            ("client_id", &principal.client_id),
            ("client_assertion", &assertion),
            (
                "client_assertion_type",
                "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            ),
            ("grant_type", "client_credentials"),
            ("scope", ARM_SCOPE),
        ],
    )
    .json()
}

#[test]
fn registered_certificate_signs_assertions_and_another_does_not() {
    let registered = key();
    let params = CertificateParams::new(Vec::new()).unwrap();
    let certificate = params.self_signed(&registered).unwrap();
    let mut options = Options::default();
    options.service_principals[0].certificates = vec![certificate.pem()];
    let sandbox = Sandbox::start(options).unwrap();
    let audience = format!(
        "{}/{}/oauth2/v2.0/token",
        sandbox.authority(),
        sandbox.description().tenant
    );
    for algorithm in [
        ("RS256", &RSA_PKCS1_SHA256 as &'static dyn RsaEncoding),
        ("PS256", &RSA_PSS_SHA256),
    ] {
        let answer = ask(&sandbox, &registered, algorithm, &audience);
        assert_eq!(answer["token_type"], "Bearer", "{answer}");
        let refused = ask(&sandbox, &key(), algorithm, &audience);
        assert_eq!(refused["error_codes"][0], 700_027);
        let refused = ask(
            &sandbox,
            &registered,
            algorithm,
            "https://elsewhere.example",
        );
        assert_eq!(refused["error_codes"][0], 700_023);
    }
}
