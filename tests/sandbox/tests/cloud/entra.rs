//! Sign-in and certificates.

mod applications;
mod codes;
mod faults;

use std::time::Duration;

use sandbox::{Fault, Options, Sandbox};
use serde_json::Value;

use crate::client::{
    AZURE_CLI, DEVICE_CODE, SSH_SCOPE, certificate, explained, post_form, refresh_token, send,
    start,
};

#[test]
fn device_code_leads_to_a_certificate_that_ssh_keygen_reads() {
    let sandbox = start();
    let tenant = &sandbox.description().tenant;
    let token = refresh_token(&sandbox, "organizations", "grace.hopper@contoso.example");
    let answer = certificate(&sandbox, tenant, &token);
    let text = explained(&answer);
    assert!(text.contains("user certificate"), "{text}");
    assert!(text.contains("grace.hopper@contoso.example"), "{text}");
    assert!(text.contains(&format!("@{tenant}\"")), "{text}");
    assert_eq!(answer["expires_in"], 3_599);
    assert!(answer["refresh_token"].is_string());
    assert!(answer["id_token"].is_string());
    assert!(answer["client_info"].is_string());
    assert_eq!(answer["foci"], "1");
}

#[test]
fn guest_gets_the_principal_of_the_tenant_that_was_asked() {
    let sandbox = start();
    let tenant = &sandbox.description().tenant;
    let token = refresh_token(&sandbox, "organizations", "linus@fabrikam.example");
    let text = explained(&certificate(&sandbox, tenant, &token));
    assert!(
        text.contains("linus_fabrikam.example#ext#@contoso.example"),
        "{text}"
    );
    let text = explained(&certificate(&sandbox, "organizations", &token));
    assert!(text.contains("linus@fabrikam.example"), "{text}");
}

#[test]
fn refresh_tokens_roll_and_older_ones_go_on_working() {
    let sandbox = start();
    let old = refresh_token(&sandbox, "organizations", "ada@contoso.example");
    let new = certificate(&sandbox, "organizations", &old)["refresh_token"].clone();
    assert_ne!(new, Value::String(old.clone()));
    explained(&certificate(
        &sandbox,
        "organizations",
        new.as_str().unwrap(),
    ));
    explained(&certificate(&sandbox, "organizations", &old));
}

#[test]
fn one_sign_in_gets_a_certificate_of_each_tenant_that_knows_the_person() {
    let sandbox = start();
    let token = refresh_token(&sandbox, "organizations", "ada@contoso.example");
    let user = &sandbox.options().users[0];
    for tenant in &sandbox.options().tenants {
        let answer = certificate(&sandbox, &tenant.id, &token);
        let membership = user.membership(&tenant.id).unwrap();
        let text = explained(&answer);
        let key_id = format!("Key ID: \"{}@{}\"", membership.oid, tenant.id);
        assert!(text.contains(&key_id), "{text}");
        let principal = membership.upn.to_lowercase();
        assert!(text.contains(&format!(" {principal}\n")), "{text}");
        assert!(text.contains(&tid_line(&tenant.id)), "{text}");
        let id_token = answer["id_token"].as_str().unwrap().split('.').nth(1);
        let claims =
            base64::Engine::decode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, id_token.unwrap());
        let claims: Value = serde_json::from_slice(&claims.unwrap()).unwrap();
        assert_eq!(claims["tid"], tenant.id);
        assert_eq!(claims["oid"], membership.oid);
    }
}

/// Returns how `ssh-keygen -L` spells the extension that names the tenant: it knows no more of it
/// than its bytes.
fn tid_line(tenant: &str) -> String {
    use std::fmt::Write as _;
    let mut bytes = u32::try_from(tenant.len()).unwrap().to_be_bytes().to_vec();
    bytes.extend_from_slice(tenant.as_bytes());
    let hex = bytes.iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    });
    format!(
        "tid@sshservice.azure.net UNKNOWN OPTION: {hex} (len {})",
        bytes.len()
    )
}

#[test]
fn a_refresh_token_that_is_good_once_is_refused_the_second_time() {
    let sandbox = Sandbox::start(Options {
        refresh_token_uses: Some(1),
        ..Options::default()
    })
    .unwrap();
    let first = refresh_token(&sandbox, "organizations", "ada@contoso.example");
    // A refusal uses nothing up.
    sandbox.fault(Fault::step_up());
    let refused = certificate(&sandbox, "organizations", &first);
    assert_eq!(refused["error_codes"][0], 50_076);
    sandbox.clear_faults();
    let answer = certificate(&sandbox, "organizations", &first);
    let second = answer["refresh_token"].as_str().unwrap();
    let refused = certificate(&sandbox, "organizations", &first);
    assert_eq!(refused["error"], "invalid_grant");
    assert_eq!(refused["error_codes"][0], 70_008);
    explained(&certificate(&sandbox, "organizations", second));
}

#[test]
fn a_refresh_token_with_three_uses_is_replaced_at_the_third() {
    let sandbox = Sandbox::start(Options {
        refresh_token_uses: Some(3),
        ..Options::default()
    })
    .unwrap();
    let token = refresh_token(&sandbox, "organizations", "ada@contoso.example");
    for replaced in [false, false, true] {
        let answer = certificate(&sandbox, "organizations", &token);
        assert_eq!(answer["token_type"], "ssh-cert", "{answer}");
        assert_eq!(answer["refresh_token"].is_string(), replaced);
    }
    let refused = certificate(&sandbox, "organizations", &token);
    assert_eq!(refused["error_codes"][0], 70_008);
}

#[test]
fn device_code_is_pending_then_declined_and_slows_fast_clients_down() {
    let sandbox = Sandbox::start(Options {
        device_code_interval: Duration::from_secs(60),
        ..Options::default()
    })
    .unwrap();
    let start = |scope| {
        let fields = [("client_id", AZURE_CLI), ("scope", scope)];
        post_form(&sandbox, "/organizations/oauth2/v2.0/devicecode", &fields).json()
    };
    let started = start(SSH_SCOPE);
    assert_eq!(started["interval"], 60);
    let poll = || {
        let code = started["device_code"].as_str().unwrap();
        let answer = post_form(
            &sandbox,
            "/organizations/oauth2/v2.0/token",
            &[
                ("client_id", AZURE_CLI),
                ("grant_type", DEVICE_CODE),
                ("device_code", code),
            ],
        );
        assert_eq!(answer.status, 400);
        answer.json()["error"].as_str().unwrap().to_owned()
    };
    assert_eq!(poll(), "authorization_pending");
    assert_eq!(poll(), "slow_down");
    sandbox
        .decline(started["user_code"].as_str().unwrap())
        .unwrap();
    assert_eq!(poll(), "authorization_declined");
}

#[test]
fn unknown_tenants_clients_and_scopes_are_refused_by_their_codes() {
    let sandbox = start();
    let code = |tenant: &str, client: &str, scope: &str| {
        let fields = [("client_id", client), ("scope", scope)];
        let path = format!("/{tenant}/oauth2/v2.0/devicecode");
        post_form(&sandbox, &path, &fields).json()["error_codes"][0].clone()
    };
    assert_eq!(code("nowhere.example", AZURE_CLI, SSH_SCOPE), 90_002);
    assert_eq!(
        code(
            "organizations",
            "11111111-1111-1111-1111-111111111111",
            SSH_SCOPE
        ),
        700_016
    );
    assert_eq!(
        code("organizations", AZURE_CLI, "https://other.example/.default"),
        500_011
    );
    assert_eq!(code("organizations", AZURE_CLI, "what"), 70_011);
}

#[test]
fn user_of_another_tenant_is_refused() {
    let sandbox = start();
    let fabrikam = &sandbox.options().tenants[1].id;
    let token = refresh_token(&sandbox, "organizations", "grace.hopper@contoso.example");
    let answer = certificate(&sandbox, fabrikam, &token);
    assert_eq!(answer["error_codes"][0], 50_020);
}

#[test]
fn correlation_id_of_the_client_comes_back() {
    let sandbox = start();
    let id = "0cb6ca4c-9aaa-4b1d-9f0d-3a3b3c3d3e3f";
    let url = format!("{}/nowhere/oauth2/v2.0/token", sandbox.authority());
    let headers = [
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("client-request-id", id),
    ];
    let answer = send(&sandbox, "POST", &url, &headers, "grant_type=refresh_token").unwrap();
    assert_eq!(answer.json()["correlation_id"], id);
}
