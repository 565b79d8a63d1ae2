//! What Entra's one key signs: certificates in their real shape, and tokens, beside the public key.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use russh::keys::{Certificate, PublicKey};
use sandbox::{Fault, Sandbox, Variation};
use serde_json::Value;

use crate::client::{certificate, explained, refresh_token, send, start};

const GRACE: &str = "grace.hopper@contoso.example";

fn issued(sandbox: &Sandbox) -> (Value, Certificate) {
    let token = refresh_token(sandbox, "organizations", GRACE);
    let answer = certificate(sandbox, "organizations", &token);
    let blob = answer["access_token"].as_str().unwrap();
    let line = format!("ssh-rsa-cert-v01@openssh.com {blob}");
    let parsed = Certificate::from_openssh(&line).unwrap();
    (answer, parsed)
}

/// Returns the names under `Extensions:` in what `ssh-keygen -L` says.
fn extensions(text: &str) -> Vec<&str> {
    let lines = text
        .lines()
        .skip_while(|line| !line.contains("Extensions:"));
    let names = lines
        .skip(1)
        .filter_map(|line| line.split_whitespace().next());
    names.collect()
}

#[expect(clippy::disallowed_methods, reason = "the sandbox goes by the clock")]
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap().as_secs()
}

#[test]
fn a_certificate_has_the_shape_that_entras_have() {
    let sandbox = start();
    let before = now();
    let (answer, parsed) = issued(&sandbox);
    let after = now();
    assert_eq!(parsed.serial(), 0);
    let membership = &sandbox.options().users[1].memberships[0];
    let key_id = format!("{}@{}", membership.oid, membership.tenant);
    assert_eq!(parsed.key_id(), key_id);
    assert_eq!(parsed.valid_principals(), [GRACE]);
    let (from, to) = (parsed.valid_after(), parsed.valid_before());
    assert!((before..=after).contains(&(from + 300)), "{from}");
    assert_eq!(to - from, 65 * 60);
    assert!(parsed.critical_options().is_empty());
    let text = explained(&answer);
    assert!(text.contains("(using rsa-sha2-256)"), "{text}");
    assert_eq!(
        extensions(&text),
        [
            "displayname@sshservice.azure.net",
            "oid@sshservice.azure.net",
            "permit-X11-forwarding",
            "permit-agent-forwarding",
            "permit-port-forwarding",
            "permit-pty",
            "permit-user-rc",
            "tid@sshservice.azure.net",
        ]
    );
}

#[test]
fn an_odd_certificate_is_one_that_openssh_accepts() {
    let sandbox = start();
    sandbox.fault(Fault::certificate(Variation::Odd));
    let token = refresh_token(&sandbox, "organizations", GRACE);
    let text = explained(&certificate(&sandbox, "organizations", &token));
    assert!(!text.contains("Serial: 0\n"), "{text}");
    assert!(text.contains("Grace.Hopper@contoso.example"), "{text}");
    assert!(text.contains("(using rsa-sha2-512)"), "{text}");
    let extensions = extensions(&text);
    assert!(!extensions.is_sorted(), "{extensions:?}");
    let permitted = extensions.iter().filter(|name| name.starts_with("permit-"));
    assert_eq!(permitted.collect::<Vec<_>>(), [&"permit-pty"]);
}

/// Returns the only key of a key set.
fn published(sandbox: &Sandbox, path: &str) -> Value {
    let url = format!("{}{path}", sandbox.authority());
    let answer = send(sandbox, "GET", &url, &[], "").unwrap();
    assert_eq!(answer.status, 200, "{path}");
    let keys = answer.json()["keys"].as_array().unwrap().clone();
    assert_eq!(keys.len(), 1);
    keys[0].clone()
}

fn number(key: &Value, name: &str) -> Vec<u8> {
    BASE64_URL_SAFE_NO_PAD
        .decode(key[name].as_str().unwrap())
        .unwrap()
}

#[test]
fn the_published_key_verifies_id_tokens_and_is_the_certificate_authority() {
    let sandbox = start();
    let (answer, parsed) = issued(&sandbox);
    let key = published(&sandbox, "/common/discovery/v2.0/keys");
    let (signed, signature) = answer["id_token"]
        .as_str()
        .unwrap()
        .rsplit_once('.')
        .unwrap();
    let public = RsaPublicKeyComponents {
        n: number(&key, "n"),
        e: number(&key, "e"),
    };
    let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap();
    public
        .verify(&RSA_PKCS1_2048_8192_SHA256, signed.as_bytes(), &signature)
        .unwrap();
    let header = signed.split('.').next().unwrap();
    let header: Value =
        serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap();
    assert_eq!(header["kid"], key["kid"]);
    let authority = parsed.signature_key().rsa().unwrap();
    assert_eq!(authority.n().as_positive_bytes().unwrap(), public.n);
    assert_eq!(authority.e().as_positive_bytes().unwrap(), public.e);
    let line = PublicKey::from_openssh(&sandbox.ssh_authority()).unwrap();
    assert_eq!(line.key_data(), parsed.signature_key());
}

#[test]
fn key_sets_are_served_in_both_versions_for_every_tenant() {
    let sandbox = start();
    let tenant = sandbox.description().tenant.clone();
    for name in ["common", "organizations", &tenant] {
        let old = published(&sandbox, &format!("/{name}/discovery/keys"));
        let new = published(&sandbox, &format!("/{name}/discovery/v2.0/keys"));
        assert_eq!(old["kid"], new["kid"]);
        assert_eq!(old["kid"], old["x5t"]);
        assert!(old["issuer"].is_null());
        let issuer = if *name == tenant {
            &tenant
        } else {
            "{tenantid}"
        };
        let issuer = format!("{}/{issuer}/v2.0", sandbox.authority());
        assert_eq!(new["issuer"], issuer);
        let certificate = BASE64_STANDARD
            .decode(new["x5c"][0].as_str().unwrap())
            .unwrap();
        let digest = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, &certificate);
        assert_eq!(number(&new, "x5t"), digest.as_ref());
    }
    let url = format!(
        "{}/nowhere.example/discovery/v2.0/keys",
        sandbox.authority()
    );
    assert_eq!(send(&sandbox, "GET", &url, &[], "").unwrap().status, 400);
}
