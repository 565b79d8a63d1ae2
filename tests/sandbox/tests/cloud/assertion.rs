//! Service principals that sign their assertions with a certificate's key.

#![expect(
    clippy::disallowed_methods,
    reason = "`ssh-keygen` and `openssl` do here what nothing else can"
)]

use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use rcgen::{Certificate, CertificateParams, KeyPair, PKCS_RSA_SHA256};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding, RsaKeyPair};
use sandbox::{Options, Sandbox, ServicePrincipal};
use serde_json::{Value, json};

use crate::client::{ARM_SCOPE, post_form, start};

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

/// Signs an assertion of a service principal, and returns what the token endpoint says to it.
///
/// `certificate` is the header's field that names the certificate, and its value.
fn ask(
    sandbox: &Sandbox,
    principal: &ServicePrincipal,
    key: &KeyPair,
    certificate: (&str, &str),
    algorithm: (&str, &'static dyn RsaEncoding),
    audience: &str,
) -> Value {
    let part = |json: Value| BASE64_URL_SAFE_NO_PAD.encode(json.to_string());
    let claims = json!({
        "iss": principal.client_id,
        "sub": principal.client_id,
        "aud": audience,
        "exp": 4_000_000_000_u64,
    });
    let header = json!({"typ": "JWT", "alg": algorithm.0, certificate.0: certificate.1});
    let signed = format!("{}.{}", part(header), part(claims));
    let pair = RsaKeyPair::from_pkcs8(key.serialized_der()).unwrap();
    let mut signature = vec![0; pair.public().modulus_len()];
    let random = SystemRandom::new();
    pair.sign(algorithm.1, &random, signed.as_bytes(), &mut signature)
        .unwrap();
    let assertion = format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature));
    let fields = [
        ("client_id", principal.client_id.as_str()),
        ("client_assertion", &assertion),
        (
            "client_assertion_type",
            "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        ),
        ("grant_type", "client_credentials"),
        ("scope", ARM_SCOPE),
    ];
    let path = format!("/{}/oauth2/v2.0/token", principal.tenant);
    post_form(sandbox, &path, &fields).json()
}

fn audience(sandbox: &Sandbox, principal: &ServicePrincipal) -> String {
    format!(
        "{}/{}/oauth2/v2.0/token",
        sandbox.authority(),
        principal.tenant
    )
}

fn sha256_of(certificate: &Certificate) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, certificate.der());
    BASE64_URL_SAFE_NO_PAD.encode(digest)
}

#[test]
fn registered_certificate_signs_assertions_and_another_does_not() {
    let registered = key();
    let params = CertificateParams::new(Vec::new()).unwrap();
    let certificate = params.self_signed(&registered).unwrap();
    let mut options = Options::default();
    options.service_principals[0].certificates = vec![certificate.pem()];
    let sandbox = Sandbox::start(options).unwrap();
    let principal = &sandbox.options().service_principals[0];
    let own = audience(&sandbox, principal);
    let other = params.self_signed(&key()).unwrap();
    let (certificate, other) = (sha256_of(&certificate), sha256_of(&other));
    for algorithm in [
        ("RS256", &RSA_PKCS1_SHA256 as &'static dyn RsaEncoding),
        ("PS256", &RSA_PSS_SHA256),
    ] {
        let ask = |key: &KeyPair, name: &str, audience: &str| {
            ask(
                &sandbox,
                principal,
                key,
                ("x5t#S256", name),
                algorithm,
                audience,
            )
        };
        let answer = ask(&registered, &certificate, &own);
        assert_eq!(answer["token_type"], "Bearer", "{answer}");
        let refused = ask(&key(), &certificate, &own);
        assert_eq!(refused["error_codes"][0], 700_027);
        // The right key, and the name of another certificate.
        let refused = ask(&registered, &other, &own);
        assert_eq!(refused["error_codes"][0], 700_027);
        let refused = ask(&registered, &certificate, "https://elsewhere.example");
        assert_eq!(refused["error_codes"][0], 700_023);
    }
}

#[test]
fn made_certificate_signs_assertions_of_its_service_principal_alone() {
    let sandbox = start();
    let principals = &sandbox.options().service_principals;
    let made = sandbox
        .client_certificate(&principals[0].client_id)
        .unwrap();
    let pem = std::fs::read_to_string(&made.pem).unwrap();
    let key = KeyPair::from_pkcs8_pem_and_sign_algo(&pem, &PKCS_RSA_SHA256).unwrap();
    let digits = made.thumbprint.as_bytes().chunks(2);
    let bytes: Vec<u8> = digits
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect();
    // In the alphabet that Microsoft's own libraries use.
    let x5t = BASE64_STANDARD.encode(bytes);
    let ask = |principal: &ServicePrincipal| {
        let audience = audience(&sandbox, principal);
        let algorithm = ("RS256", &RSA_PKCS1_SHA256 as &'static dyn RsaEncoding);
        ask(
            &sandbox,
            principal,
            &key,
            ("x5t", &x5t),
            algorithm,
            &audience,
        )
    };
    let answer = ask(&principals[0]);
    assert_eq!(answer["token_type"], "Bearer", "{answer}");
    assert_eq!(ask(&principals[1])["error_codes"][0], 700_027);
}

#[test]
fn made_certificate_opens_in_each_of_its_files() {
    let sandbox = start();
    let principal = &sandbox.options().service_principals[0];
    let made = sandbox.client_certificate(&principal.client_id).unwrap();
    let pem = std::fs::read_to_string(&made.pem).unwrap();
    let opened = |file: &Path, password: &str| {
        Command::new("openssl")
            .args([
                "pkcs12",
                "-nodes",
                "-passin",
                &format!("pass:{password}"),
                "-in",
            ])
            .arg(file)
            .output()
            .unwrap()
    };
    let body = pem.split_once("-----BEGIN CERTIFICATE-----\n").unwrap().1;
    let first_line = body.lines().next().unwrap();
    let files = [
        (&made.pkcs12, ""),
        (&made.protected_pkcs12, made.password.as_str()),
    ];
    for (file, password) in files {
        let output = opened(file, password);
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains("-----BEGIN PRIVATE KEY-----"));
        assert!(text.contains(first_line));
    }
    assert!(!opened(&made.protected_pkcs12, "").status.success());
}
