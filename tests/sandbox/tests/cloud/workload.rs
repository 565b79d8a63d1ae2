//! Where pipelines and machines get an identity from, and what it is worth.

use std::collections::BTreeMap;
use std::time::Duration;

use sandbox::{Options, Sandbox, Service, Workload};
use serde_json::{Value, json};

use crate::client::{
    ARM_SCOPE, Answer, SSH_SCOPE, arm, explained, jwk, post_form, send, send_plain, start,
};

/// The service principal `pipeline`.
const PIPELINE: &str = "a9911ca7-0000-4000-8000-000000000303";
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

fn environment(sandbox: &Sandbox, workload: Workload) -> BTreeMap<&'static str, String> {
    sandbox.environment(workload).into_iter().collect()
}

/// Redeems an assertion for a certificate of `pipeline`.
fn certificate(sandbox: &Sandbox, assertion: &str) -> Value {
    let (jwk, key_id) = jwk();
    let tenant = &sandbox.description().tenant;
    let fields = [
        ("client_id", PIPELINE),
        ("client_assertion", assertion),
        ("client_assertion_type", JWT_BEARER),
        ("grant_type", "client_credentials"),
        ("scope", SSH_SCOPE),
        ("token_type", "ssh-cert"),
        ("req_cnf", &jwk),
        ("key_id", key_id),
    ];
    post_form(sandbox, &format!("/{tenant}/oauth2/v2.0/token"), &fields).json()
}

fn github(sandbox: &Sandbox, token: &str, audience: &str) -> Answer {
    let url = &environment(sandbox, Workload::GitHubActions)["ACTIONS_ID_TOKEN_REQUEST_URL"];
    let authorization = format!("bearer {token}");
    let headers = [("Authorization", authorization.as_str())];
    send(
        sandbox,
        "GET",
        &format!("{url}&audience={audience}"),
        &headers,
        "",
    )
    .unwrap()
}

/// Returns an ID token of GitHub's.
fn github_token(sandbox: &Sandbox, audience: &str) -> String {
    let variables = environment(sandbox, Workload::GitHubActions);
    let answer = github(
        sandbox,
        &variables["ACTIONS_ID_TOKEN_REQUEST_TOKEN"],
        audience,
    );
    answer.json()["value"].as_str().unwrap().to_owned()
}

#[test]
fn a_workflow_gets_a_new_id_token_each_time_and_a_certificate_for_it() {
    let sandbox = start();
    let audience = "api%3A%2F%2FAzureADTokenExchange";
    let first = github_token(&sandbox, audience);
    assert_ne!(first, github_token(&sandbox, audience));
    assert_eq!(certificate(&sandbox, &first)["token_type"], "ssh-cert");
    assert_eq!(github(&sandbox, "guessed", audience).status, 401);
    let other = github_token(&sandbox, "https%3A%2F%2Fgithub.com%2Fcontoso");
    assert_eq!(certificate(&sandbox, &other)["error_codes"][0], 700_213);
    // The same claims with another signature.
    let (signed, _) = first.rsplit_once('.').unwrap();
    let forged = certificate(&sandbox, &format!("{signed}.AAAA"));
    assert_eq!(forged["error_codes"][0], 50_013);
    let asked = sandbox.requests().into_iter();
    assert_eq!(
        asked.filter(|row| row.service == Service::Workload).count(),
        4
    );
}

#[test]
fn an_id_token_is_refused_once_its_time_is_over() {
    let sandbox = Sandbox::start(Options {
        assertion_lifetime: Duration::ZERO,
        ..Options::default()
    })
    .unwrap();
    let token = github_token(&sandbox, "api%3A%2F%2FAzureADTokenExchange");
    assert_eq!(certificate(&sandbox, &token)["error_codes"][0], 700_024);
}

#[test]
fn a_service_connection_gets_an_id_token_and_a_certificate_for_it() {
    let sandbox = start();
    let variables = environment(&sandbox, Workload::AzurePipelines);
    let ask = |token: &str, connection: &str, suppress: bool| {
        let url = format!(
            "{}?api-version=7.1&serviceConnectionId={connection}",
            variables["SYSTEM_OIDCREQUESTURI"]
        );
        let authorization = format!("Bearer {token}");
        let mut headers = vec![("Authorization", authorization.as_str())];
        if suppress {
            headers.push(("X-TFS-FedAuthRedirect", "Suppress"));
        }
        send(&sandbox, "POST", &url, &headers, "").unwrap()
    };
    let token = &variables["SYSTEM_ACCESSTOKEN"];
    let connection = &variables["AZURESUBSCRIPTION_SERVICE_CONNECTION_ID"];
    let answer = ask(token, connection, true).json();
    let answer = certificate(&sandbox, answer["oidcToken"].as_str().unwrap());
    assert_eq!(answer["token_type"], "ssh-cert", "{answer}");
    assert_eq!(ask("guessed", connection, true).status, 401);
    assert_eq!(ask("guessed", connection, false).status, 302);
    assert_eq!(ask(token, "another", true).status, 404);
    assert_eq!(variables["AZURESUBSCRIPTION_CLIENT_ID"], PIPELINE);
}

#[test]
fn a_pod_finds_a_fresh_token_in_its_file() {
    let sandbox = start();
    let variables = environment(&sandbox, Workload::Kubernetes);
    let file = &variables["AZURE_FEDERATED_TOKEN_FILE"];
    let fresh = || {
        sandbox.write_federated_token().unwrap();
        std::fs::read_to_string(file).unwrap()
    };
    let first = fresh();
    assert_ne!(first, fresh());
    assert_eq!(certificate(&sandbox, &first)["token_type"], "ssh-cert");
    assert_eq!(variables["AZURE_CLIENT_ID"], PIPELINE);
}

#[test]
fn a_managed_identity_has_bearer_tokens_alone_and_one_of_them_buys_a_certificate() {
    let sandbox = start();
    let variables = environment(&sandbox, Workload::AppService);
    let ask = |resource: &str, rest: &str, secret: &str| {
        let url = format!(
            "{}?api-version=2019-08-01&resource={resource}{rest}",
            variables["IDENTITY_ENDPOINT"]
        );
        send_plain("GET", &url, &[("X-IDENTITY-HEADER", secret)], "")
    };
    let secret = &variables["IDENTITY_HEADER"];
    let answer = ask(
        "ce6ff14a-7fdc-4685-bbe0-f6afdfcfa8e0",
        "&token_type=ssh-cert&key_id=key-1",
        secret,
    )
    .json();
    assert_eq!(answer["token_type"], "Bearer");
    assert!(
        answer["expires_on"]
            .as_str()
            .unwrap()
            .parse::<u64>()
            .is_ok()
    );
    let own = &sandbox.options().managed_identity;
    assert_eq!(answer["client_id"], own.client_id);
    let answer = ask("api://AzureADTokenExchange", "", secret).json();
    let answer = certificate(&sandbox, answer["access_token"].as_str().unwrap());
    assert_eq!(answer["token_type"], "ssh-cert", "{answer}");
    let answer = ask("https://management.azure.com/", "", secret).json();
    let token = answer["access_token"].as_str().unwrap();
    let path = "/subscriptions?api-version=2022-12-01";
    assert_eq!(arm(&sandbox, token, "GET", path, &Value::Null).status, 200);
    assert_eq!(certificate(&sandbox, token)["error_codes"][0], 700_213);
    assert_eq!(ask("api://AzureADTokenExchange", "", "guessed").status, 401);
    let named = |id: &str| {
        let rest = format!("&client_id={id}");
        ask("api://AzureADTokenExchange", &rest, secret).status
    };
    assert_eq!(named(&own.client_id), 200);
    assert_eq!(named(PIPELINE), 400);
    // It has no secret to sign in with.
    let fields = [
        ("client_id", own.client_id.as_str()),
        ("client_secret", "guessed"),
        ("grant_type", "client_credentials"),
        ("scope", ARM_SCOPE),
    ];
    let path = format!("/{}/oauth2/v2.0/token", own.tenant);
    let refused = post_form(&sandbox, &path, &fields).json();
    assert_eq!(refused["error_codes"][0], 700_016);
}

#[test]
fn machine_and_cloud_shell_answer_those_who_ask_for_metadata() {
    let sandbox = start();
    let host =
        &environment(&sandbox, Workload::VirtualMachine)["AZURE_POD_IDENTITY_AUTHORITY_HOST"];
    let url = format!(
        "{host}/metadata/identity/oauth2/token?api-version=2018-02-01\
         &resource=https%3A%2F%2Fmanagement.azure.com%2F"
    );
    let answer = send_plain("GET", &url, &[("Metadata", "true")], "").json();
    assert_eq!(answer["resource"], "https://management.azure.com/");
    assert_eq!(answer["token_type"], "Bearer");
    assert_eq!(send_plain("GET", &url, &[], "").status, 400);

    let endpoint = &environment(&sandbox, Workload::CloudShell)["MSI_ENDPOINT"];
    let form = [
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Metadata", "true"),
    ];
    let body = "resource=ce6ff14a-7fdc-4685-bbe0-f6afdfcfa8e0";
    let answer = send_plain("POST", endpoint, &form, body).json();
    assert_eq!(answer["token_type"], "Bearer");
    let claims = answer["access_token"].as_str().unwrap().split('.').nth(1);
    let claims =
        base64::Engine::decode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, claims.unwrap()).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    assert_eq!(claims["upn"], "ada@contoso.example");
    let refused = send_plain("POST", endpoint, &form[..1], body);
    assert_eq!(refused.status, 400);
    assert!(
        refused.json()["error"]["message"].is_string(),
        "{refused:?}"
    );
}

#[test]
fn cloud_shell_gives_certificates_to_its_user_and_a_managed_identity_gets_none() {
    let sandbox = start();
    let (jwk, key_id) = jwk();
    let mut fields = form_urlencoded::Serializer::new(String::new());
    fields.extend_pairs([
        ("resource", "ce6ff14a-7fdc-4685-bbe0-f6afdfcfa8e0"),
        ("token_type", "ssh-cert"),
        ("key_id", key_id),
        ("req_cnf", &jwk),
    ]);
    let fields = fields.finish();
    let headers = [
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Metadata", "true"),
    ];
    let endpoint = &environment(&sandbox, Workload::CloudShell)["MSI_ENDPOINT"];
    let answer = send_plain("POST", endpoint, &headers, &fields).json();
    assert!(answer["expires_in"].as_u64().is_some(), "{answer}");
    assert!(explained(&answer).contains("ada@contoso.example"));

    let host =
        &environment(&sandbox, Workload::VirtualMachine)["AZURE_POD_IDENTITY_AUTHORITY_HOST"];
    let url = format!("{host}/metadata/identity/oauth2/token?api-version=2018-02-01&{fields}");
    let answer = send_plain("GET", &url, &headers[1..], "").json();
    assert_eq!(answer["token_type"], "Bearer");
}

#[test]
fn description_and_control_tell_from_outside_what_a_workload_needs() {
    let sandbox = start();
    let description = sandbox.description();
    for workload in Workload::ALL {
        assert!(!description.workloads[workload.word()].is_empty());
    }
    let ask = |path: &str, body: &Value| {
        let url = format!("{}{path}", description.control);
        send(&sandbox, "POST", &url, &[], &body.to_string()).unwrap()
    };
    let written = ask("/federated-token", &Value::Null).json();
    let file = &description.workloads["kubernetes"]["AZURE_FEDERATED_TOKEN_FILE"];
    assert_eq!(written["file"], *file);
    assert!(std::path::Path::new(file).exists());
    let made = ask("/client-certificate", &json!({"client_id": PIPELINE})).json();
    assert!(std::path::Path::new(made["pkcs12"].as_str().unwrap()).exists());
    assert_eq!(
        ask("/client-certificate", &json!({"client_id": "x"})).status,
        400
    );
}
