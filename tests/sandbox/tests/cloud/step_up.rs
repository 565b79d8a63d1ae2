//! Conditional Access that asks for one more sign-in before a key is certified.

use sandbox::{Fault, Sandbox};
use serde_json::{Value, json};

use crate::client::{ARM_SCOPE, AZURE_CLI, DEVICE_CODE, SSH_SCOPE, jwk, post_form, send, start};

const ADA: &str = "ada@contoso.example";
const GRACE: &str = "Grace.Hopper@contoso.example";

/// Signs somebody in by device code, with claims, and returns the refresh token.
fn sign_in(sandbox: &Sandbox, upn: &str, scope: &str, claims: Option<&str>) -> String {
    let scope = format!("{scope} offline_access");
    let mut fields = vec![("client_id", AZURE_CLI), ("scope", scope.as_str())];
    fields.extend(claims.map(|claims| ("claims", claims)));
    let started = post_form(sandbox, "/organizations/oauth2/v2.0/devicecode", &fields).json();
    let text = |name: &str| started[name].as_str().unwrap().to_owned();
    sandbox.approve(&text("user_code"), upn).unwrap();
    let fields = [
        ("client_id", AZURE_CLI),
        ("grant_type", DEVICE_CODE),
        ("device_code", &text("device_code")),
    ];
    let answer = post_form(sandbox, "/organizations/oauth2/v2.0/token", &fields).json();
    answer["refresh_token"].as_str().unwrap().to_owned()
}

/// Asks for a certificate.
fn certificate(sandbox: &Sandbox, refresh_token: &str) -> Value {
    let (jwk, key_id) = jwk();
    let fields = [
        ("client_id", AZURE_CLI),
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh_token),
        ("scope", SSH_SCOPE),
        ("token_type", "ssh-cert"),
        ("req_cnf", &jwk),
        ("key_id", key_id),
    ];
    post_form(sandbox, "/organizations/oauth2/v2.0/token", &fields).json()
}

/// Returns the claims that a refusal asks for.
fn challenged(answer: &Value) -> String {
    assert_eq!(answer["error"], "interaction_required", "{answer}");
    assert_eq!(answer["error_codes"], json!([50_076]));
    assert_eq!(answer["suberror"], "basic_action");
    let claims = answer["claims"].as_str().unwrap();
    let parsed: Value = serde_json::from_str(claims).unwrap();
    assert_eq!(parsed["access_token"]["capolids"]["essential"], true);
    claims.to_owned()
}

#[test]
fn certificates_come_after_a_device_code_with_the_challenged_claims_and_not_before() {
    let sandbox = start();
    sandbox.fault(Fault::step_up());
    let plain = sign_in(&sandbox, ADA, ARM_SCOPE, None);
    let claims = challenged(&certificate(&sandbox, &plain));
    // Neither without the claims, nor for another resource, nor by somebody else.
    for (scope, claims) in [(SSH_SCOPE, None), (ARM_SCOPE, Some(claims.as_str()))] {
        challenged(&certificate(
            &sandbox,
            &sign_in(&sandbox, ADA, scope, claims),
        ));
    }
    sign_in(&sandbox, GRACE, SSH_SCOPE, Some(&claims));
    challenged(&certificate(&sandbox, &plain));

    let stepped_up = sign_in(&sandbox, ADA, SSH_SCOPE, Some(&claims));
    let answer = certificate(&sandbox, &stepped_up);
    assert_eq!(answer["token_type"], "ssh-cert", "{answer}");
    // What the token is exchanged for is as good.
    let rolled = answer["refresh_token"].as_str().unwrap();
    assert_eq!(certificate(&sandbox, rolled)["token_type"], "ssh-cert");
    // The older sign-in has not become better by it.
    challenged(&certificate(&sandbox, &plain));
    let rounds = sandbox
        .requests()
        .iter()
        .filter(|row| row.path.ends_with("/devicecode") && row.form.contains_key("claims"))
        .count();
    assert_eq!(rounds, 3);
}

#[test]
fn a_browser_sign_in_with_the_challenged_claims_is_enough() {
    let sandbox = start();
    sandbox.fault(Fault::step_up());
    let claims = challenged(&certificate(
        &sandbox,
        &sign_in(&sandbox, ADA, ARM_SCOPE, None),
    ));
    let verifier = "v".repeat(43);
    let digest = ring::digest::digest(&ring::digest::SHA256, verifier.as_bytes());
    let challenge = base64::Engine::encode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, digest);
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs([
        ("client_id", AZURE_CLI),
        ("response_type", "code"),
        ("redirect_uri", "http://localhost:1234/"),
        ("scope", &format!("{SSH_SCOPE} offline_access")),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
        ("claims", &claims),
    ]);
    let url = format!(
        "{}/organizations/oauth2/v2.0/authorize?{}",
        sandbox.authority(),
        query.finish()
    );
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    let back = send(&sandbox, "POST", &url, &form, "upn=ada%40contoso.example").unwrap();
    let location = back.header("location").unwrap();
    let fields = [
        ("client_id", AZURE_CLI),
        ("grant_type", "authorization_code"),
        ("code", location.split(['=', '&']).nth(1).unwrap()),
        ("redirect_uri", "http://localhost:1234/"),
        ("code_verifier", &verifier),
        ("scope", &format!("{ARM_SCOPE} offline_access")),
    ];
    let answer = post_form(&sandbox, "/organizations/oauth2/v2.0/token", &fields).json();
    let refresh_token = answer["refresh_token"].as_str().unwrap();
    let answer = certificate(&sandbox, refresh_token);
    assert_eq!(answer["token_type"], "ssh-cert", "{answer}");
    let row = sandbox.requests().into_iter().find(|row| {
        row.path.ends_with("/authorize") && row.query.get("claims").is_some_and(|c| *c == claims)
    });
    assert!(row.is_some());
}

#[test]
fn a_policy_that_nothing_satisfies_goes_on_asking() {
    let sandbox = start();
    sandbox.fault(Fault::StepUp {
        upn: Some(ADA.to_owned()),
        satisfiable: false,
        error: "invalid_grant".to_owned(),
    });
    let plain = sign_in(&sandbox, ADA, ARM_SCOPE, None);
    let ask = |token: &str| {
        let answer = certificate(&sandbox, token);
        assert_eq!(answer["error"], "invalid_grant");
        assert_eq!(answer["suberror"], "basic_action");
        answer["claims"].as_str().unwrap().to_owned()
    };
    let claims = ask(&plain);
    let stepped_up = sign_in(&sandbox, ADA, SSH_SCOPE, Some(&claims));
    ask(&stepped_up);
    let other = sign_in(&sandbox, GRACE, ARM_SCOPE, None);
    assert_eq!(certificate(&sandbox, &other)["token_type"], "ssh-cert");
    sandbox.clear_faults();
    assert_eq!(certificate(&sandbox, &plain)["token_type"], "ssh-cert");
}
