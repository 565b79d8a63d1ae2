//! Tokens, tenants, and what a caller may not see.

use serde_json::{Value, json};

use super::{ADA, endpoint, resource_id};
use crate::client::{arm, arm_token, credentials, send, start};

#[test]
fn token_of_the_wrong_tenant_is_sent_to_the_right_one() {
    let sandbox = start();
    let token = arm_token(&sandbox, "organizations", ADA);
    let fabrikam = &sandbox.options().tenants[1];
    let path = format!(
        "/subscriptions/{}?api-version=2022-12-01",
        fabrikam.subscription_id
    );
    let answer = arm(&sandbox, &token, "GET", &path, &Value::Null);
    assert_eq!(answer.status, 401);
    let challenge = answer.header("www-authenticate").unwrap();
    let right = format!(
        "authorization_uri=\"{}/{}\"",
        sandbox.authority(),
        fabrikam.id
    );
    assert!(challenge.contains(&right), "{challenge}");
    assert_eq!(
        answer.json()["error"]["code"],
        "InvalidAuthenticationTokenTenant"
    );
    // There she is a guest, and may do what she may at home.
    let token = arm_token(&sandbox, &fabrikam.id, ADA);
    let answer = arm(&sandbox, &token, "GET", &path, &Value::Null);
    assert_eq!(answer.json()["tenantId"], fabrikam.id);
    credentials(&sandbox, &token, &resource_id(&sandbox, "fab01"));
}

#[test]
fn whoever_asks_for_a_subscription_without_a_token_learns_its_tenant() {
    let sandbox = start();
    for tenant in &sandbox.options().tenants {
        let url = format!(
            "{}/subscriptions/{}?api-version=2022-12-01",
            sandbox.authority(),
            tenant.subscription_id
        );
        let answer = send(&sandbox, "GET", &url, &[], "").unwrap();
        assert_eq!(answer.status, 401);
        let challenge = answer.header("www-authenticate").unwrap();
        let right = format!(
            "Bearer authorization_uri=\"{}/{}\"",
            sandbox.authority(),
            tenant.id
        );
        assert!(challenge.starts_with(&right), "{challenge}");
    }
}

#[test]
fn changed_and_missing_tokens_are_refused() {
    let sandbox = start();
    let mut token = arm_token(&sandbox, "organizations", ADA);
    token.replace_range(token.len() - 10..token.len() - 6, "AAAA");
    let path = "/subscriptions?api-version=2022-12-01";
    assert_eq!(arm(&sandbox, &token, "GET", path, &Value::Null).status, 401);
    let bare = send(
        &sandbox,
        "GET",
        &format!("{}{path}", sandbox.authority()),
        &[],
        "",
    );
    assert_eq!(bare.unwrap().status, 401);
}

#[test]
fn tenants_and_subscriptions_are_those_of_the_caller() {
    let sandbox = start();
    let count = |upn: &str, path: &str| {
        let token = arm_token(&sandbox, "organizations", upn);
        let path = format!("{path}?api-version=2022-12-01");
        let answer = arm(&sandbox, &token, "GET", &path, &Value::Null).json();
        answer["value"].as_array().unwrap().len()
    };
    assert_eq!(count("Grace.Hopper@contoso.example", "/tenants"), 1);
    assert_eq!(count(ADA, "/tenants"), 2);
    assert_eq!(count("linus@fabrikam.example", "/tenants"), 2);
    assert_eq!(count("linus@fabrikam.example", "/subscriptions"), 1);
}

#[test]
fn what_does_not_exist_is_named() {
    let sandbox = start();
    let token = arm_token(&sandbox, "organizations", ADA);
    let subscription = sandbox.description().subscription;
    let code = |path: &str| {
        let path = format!("{path}?api-version=2022-11-10");
        let answer = arm(&sandbox, &token, "GET", &path, &Value::Null);
        assert_eq!(answer.status, 404, "{answer:?}");
        answer.json()["error"]["code"].as_str().unwrap().to_owned()
    };
    let machines = "providers/Microsoft.HybridCompute/machines";
    let root = format!("/subscriptions/{subscription}/resourceGroups");
    assert_eq!(
        code(&format!("{root}/rg-web/{machines}/none")),
        "ResourceNotFound"
    );
    assert_eq!(
        code(&format!("{root}/rg-none/{machines}/web01")),
        "ResourceGroupNotFound"
    );
    assert_eq!(code("/subscriptions/none"), "SubscriptionNotFound");
}

#[test]
fn reader_may_not_list_credentials() {
    let sandbox = start();
    let token = arm_token(&sandbox, "organizations", "radia@contoso.example");
    let path = endpoint(&sandbox, "web01", "/listCredentials?expiresin=600");
    let answer = arm(
        &sandbox,
        &token,
        "POST",
        &path,
        &json!({"serviceName": "SSH"}),
    );
    assert_eq!(answer.status, 403);
    let message = answer.json()["error"]["message"].clone();
    assert!(
        message
            .as_str()
            .unwrap()
            .contains("endpoints/listCredentials/action")
    );
}
