//! Service principals and federated credentials.

use serde_json::Value;

use crate::client::{ARM_SCOPE, SSH_SCOPE, explained, jwk, post_form, start};

#[test]
fn service_principal_gets_its_client_id_as_principal() {
    let sandbox = start();
    let description = sandbox.description();
    let principal = &description.service_principals[0];
    let (jwk, key_id) = jwk();
    let ask = |secret: &str, scope: &str| {
        post_form(
            &sandbox,
            &format!("/{}/oauth2/v2.0/token", description.tenant),
            &[
                ("client_id", &principal.client_id),
                ("client_secret", secret),
                ("grant_type", "client_credentials"),
                ("scope", scope),
                ("token_type", "ssh-cert"),
                ("req_cnf", &jwk),
                ("key_id", key_id),
            ],
        )
    };
    let answer = ask(&principal.client_secret, SSH_SCOPE).json();
    assert!(explained(&answer).contains(&principal.client_id));
    assert!(answer["refresh_token"].is_null());
    let refused = ask("wrong", SSH_SCOPE);
    assert_eq!(refused.status, 401);
    assert_eq!(refused.json()["error_codes"][0], 7_000_215);
    let refused = ask(&principal.client_secret, ARM_SCOPE).json();
    assert_eq!(refused["error_codes"][0], 70_011);
}

#[test]
fn federated_assertion_of_a_trusted_subject_is_taken_and_others_are_named() {
    let sandbox = start();
    let description = sandbox.description();
    let encode = |json: Value| {
        base64::Engine::encode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, json.to_string())
    };
    let ask = |subject: &str, expires: f64| {
        let header = encode(serde_json::json!({"alg": "RS256"}));
        let claims = encode(serde_json::json!({
            "iss": "https://token.actions.githubusercontent.com",
            "sub": subject,
            "aud": "api://AzureADTokenExchange",
            "exp": expires,
        }));
        post_form(
            &sandbox,
            &format!("/{}/oauth2/v2.0/token", description.tenant),
            &[
                ("client_id", &description.service_principals[0].client_id),
                (
                    "client_assertion_type",
                    "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                ),
                ("client_assertion", &format!("{header}.{claims}.AAAA")),
                ("grant_type", "client_credentials"),
                ("scope", ARM_SCOPE),
            ],
        )
        .json()
    };
    let trusted = "repo:contoso/deploy:ref:refs/heads/main";
    // A fraction of a second, as MSAL for Python sends it.
    let answer = ask(trusted, 4_000_000_000.25);
    assert_eq!(answer["token_type"], "Bearer");
    assert!(answer.get("scope").is_none(), "{answer}");
    assert_eq!(ask(trusted, 4_000_000_000.0)["token_type"], "Bearer");
    for expired in [1.0, 1.5, -1.0, f64::MAX] {
        assert_eq!(ask(trusted, expired)["error_codes"][0], 700_024);
    }
    let refused = ask("repo:other/thing", 4_000_000_000.0);
    assert_eq!(refused["error_codes"][0], 700_213);
    assert!(
        refused["error_description"]
            .as_str()
            .unwrap()
            .contains("repo:other/thing")
    );
}
