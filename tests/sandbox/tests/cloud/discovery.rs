//! What clients learn of Entra before they sign in, and of the family that they belong to.

use serde_json::Value;

use crate::client::{ARM_SCOPE, SSH_SCOPE, post_form, refresh_token, send, start};

/// Azure PowerShell: of the same family as the Azure CLI, and not pre-authorised for certificates.
const AZURE_POWERSHELL: &str = "1950a258-227b-4e31-a9cf-717495945fc2";

#[test]
fn instance_discovery_knows_the_sandbox_and_no_other_authority() {
    let sandbox = start();
    let authority = sandbox.authority();
    let ask = |endpoint: &str| {
        let url = format!(
            "{authority}/common/discovery/instance?api-version=1.1\
             &authorization_endpoint={endpoint}"
        );
        send(&sandbox, "GET", &url, &[], "").unwrap()
    };
    let known = ask(&format!(
        "{authority}/contoso.example/oauth2/v2.0/authorize"
    ));
    assert_eq!(known.status, 200);
    let configuration = known.json()["tenant_discovery_endpoint"].clone();
    let expected = format!("{authority}/contoso.example/v2.0/.well-known/openid-configuration");
    assert_eq!(configuration, expected);
    let answer = send(&sandbox, "GET", &expected, &[], "").unwrap().json();
    let tenant = &sandbox.description().tenant;
    assert_eq!(answer["issuer"], format!("{authority}/{tenant}/v2.0"));
    let keys = answer["jwks_uri"].as_str().unwrap();
    assert_eq!(send(&sandbox, "GET", keys, &[], "").unwrap().status, 200);
    for other in [
        "https://login.example/common/oauth2/v2.0/authorize",
        authority,
        "",
    ] {
        let refused = ask(other);
        assert_eq!(refused.status, 400, "{other}");
        assert!(refused.json()["error_codes"].is_array(), "{refused:?}");
    }
    let refused = ask("https://login.example/common/oauth2/v2.0/authorize").json();
    assert_eq!(refused["error"], "invalid_instance");
    assert_eq!(refused["error_codes"][0], 50_049);
}

#[test]
fn a_refresh_token_of_the_family_serves_each_of_its_clients() {
    let sandbox = start();
    let token = refresh_token(&sandbox, "organizations", "ada@contoso.example");
    let ask = |scope: &str, more: &[(&str, &str)]| -> Value {
        let fields = [
            ("client_id", AZURE_POWERSHELL),
            ("grant_type", "refresh_token"),
            ("refresh_token", &token),
            ("scope", scope),
        ];
        let fields: Vec<_> = fields.iter().chain(more).copied().collect();
        post_form(&sandbox, "/organizations/oauth2/v2.0/token", &fields).json()
    };
    let answer = ask(ARM_SCOPE, &[]);
    assert_eq!(answer["token_type"], "Bearer", "{answer}");
    assert_eq!(answer["foci"], "1");
    let refused = ask(SSH_SCOPE, &[("token_type", "ssh-cert")]);
    assert_eq!(refused["error_codes"][0], 65_002, "{refused}");
}
