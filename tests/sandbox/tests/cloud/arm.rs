//! Subscriptions, machines, set-up and lists.

mod access;
mod machines;

use std::time::{Duration, Instant};

use sandbox::{Fault, Options, Sandbox};
use serde_json::{Value, json};

use crate::client::{arm, arm_token, connect, credentials, start};

const ADA: &str = "ada@contoso.example";

fn resource_id(sandbox: &Sandbox, name: &str) -> String {
    let machines = sandbox.description().machines;
    let machine = machines.into_iter().find(|machine| machine.name == name);
    machine.unwrap().resource_id
}

fn endpoint(sandbox: &Sandbox, name: &str, rest: &str) -> String {
    let id = resource_id(sandbox, name);
    let separator = if rest.contains('?') { '&' } else { '?' };
    format!(
        "{id}/providers/Microsoft.HybridConnectivity/endpoints/default{rest}{separator}\
         api-version=2023-03-15"
    )
}

#[test]
fn machine_without_endpoint_is_set_up_by_what_404_and_412_ask_for() {
    let sandbox = Sandbox::start(Options {
        agent_delay: Duration::from_millis(200),
        ..Options::default()
    })
    .unwrap();
    let token = arm_token(&sandbox, "organizations", ADA);
    let list = endpoint(&sandbox, "new01", "/listCredentials?expiresin=600");
    let body = json!({"serviceName": "SSH"});
    let ask = || arm(&sandbox, &token, "POST", &list, &body);
    assert_eq!(ask().status, 404);
    let put = |rest: &str, body: &Value| {
        arm(
            &sandbox,
            &token,
            "PUT",
            &endpoint(&sandbox, "new01", rest),
            body,
        )
    };
    let service = json!({"properties": {"serviceName": "SSH", "port": 22}});
    assert_eq!(put("/serviceConfigurations/SSH", &service).status, 404);
    assert_eq!(
        put("", &json!({"properties": {"type": "default"}})).status,
        200
    );
    assert_eq!(ask().status, 412);
    // Whoever names no service needs no service configuration, and gets no token of one.
    let bare = arm(&sandbox, &token, "POST", &list, &Value::Null);
    assert_eq!(bare.status, 200);
    assert!(bare.json()["relay"]["accessKey"].is_string());
    assert!(
        bare.json()["relay"]
            .get("serviceConfigurationToken")
            .is_none()
    );
    assert_eq!(put("/serviceConfigurations/SSH", &service).status, 201);
    assert_eq!(put("/serviceConfigurations/SSH", &service).status, 200);
    let answer = ask();
    assert_eq!(answer.status, 200);
    let relay = answer.json()["relay"].clone();
    assert_eq!(relay["namespaceName"], "127");
    let shown = arm(
        &sandbox,
        &token,
        "GET",
        &endpoint(&sandbox, "new01", "/serviceConfigurations/SSH"),
        &Value::Null,
    );
    assert_eq!(shown.json()["properties"]["port"], 22);
    // The Relay hears of the endpoint when the agent does.
    let deadline = Instant::now() + Duration::from_secs(120);
    while connect(&sandbox, &relay).is_err() {
        assert!(Instant::now() < deadline, "the agent never listened");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_deleted_endpoint_is_gone_with_its_service_configuration() {
    let sandbox = start();
    let token = arm_token(&sandbox, "organizations", ADA);
    let ask = |method: &str, rest: &str, body: &Value| {
        arm(
            &sandbox,
            &token,
            method,
            &endpoint(&sandbox, "web01", rest),
            body,
        )
        .status
    };
    assert_eq!(ask("DELETE", "", &Value::Null), 200);
    assert_eq!(ask("DELETE", "", &Value::Null), 204);
    assert_eq!(ask("GET", "", &Value::Null), 404);
    let body = json!({"properties": {"type": "default"}});
    assert_eq!(ask("PUT", "", &body), 200);
    assert_eq!(ask("GET", "/serviceConfigurations/SSH", &Value::Null), 404);
}

#[test]
fn credentials_outside_ten_minutes_to_three_hours_are_refused() {
    let sandbox = start();
    let token = arm_token(&sandbox, "organizations", ADA);
    let status = |seconds: &str| {
        let path = endpoint(
            &sandbox,
            "web01",
            &format!("/listCredentials?expiresin={seconds}"),
        );
        arm(
            &sandbox,
            &token,
            "POST",
            &path,
            &json!({"serviceName": "SSH"}),
        )
        .status
    };
    assert_eq!(status("600"), 200);
    assert_eq!(status("10800"), 200);
    assert_eq!(status("599"), 400);
    assert_eq!(status("10801"), 400);
    assert_eq!(status("soon"), 400);
}

#[test]
fn provider_registration_takes_its_time() {
    let mut options = Options {
        registration_time: Duration::from_millis(300),
        ..Options::default()
    };
    options.tenants[0].provider_registered = false;
    let sandbox = Sandbox::start(options).unwrap();
    let token = arm_token(&sandbox, "organizations", ADA);
    let provider = format!(
        "/subscriptions/{}/providers/Microsoft.HybridConnectivity",
        sandbox.description().subscription
    );
    let state = |method: &str, rest: &str| {
        let path = format!("{provider}{rest}?api-version=2021-04-01");
        let answer = arm(&sandbox, &token, method, &path, &Value::Null).json();
        answer["registrationState"].as_str().unwrap().to_owned()
    };
    assert_eq!(state("GET", ""), "NotRegistered");
    let refused = arm(
        &sandbox,
        &token,
        "PUT",
        &endpoint(&sandbox, "new01", ""),
        &json!({"properties": {"type": "default"}}),
    );
    assert_eq!(
        refused.json()["error"]["code"],
        "MissingSubscriptionRegistration"
    );
    assert_eq!(state("POST", "/register"), "Registering");
    std::thread::sleep(Duration::from_millis(400));
    assert_eq!(state("GET", ""), "Registered");
}

#[test]
fn fault_hits_the_path_it_names() {
    let sandbox = start();
    let token = arm_token(&sandbox, "organizations", ADA);
    sandbox.fault(Fault::Arm {
        path: "/LISTcredentials".to_owned(),
        method: None,
        status: 429,
        code: "TooManyRequests".to_owned(),
        message: "slow down".to_owned(),
        retry_after: Some(7),
    });
    let path = "/subscriptions?api-version=2022-12-01";
    assert_eq!(arm(&sandbox, &token, "GET", path, &Value::Null).status, 200);
    let path = endpoint(&sandbox, "web01", "/listCredentials?expiresin=600");
    let answer = arm(
        &sandbox,
        &token,
        "POST",
        &path,
        &json!({"serviceName": "SSH"}),
    );
    assert_eq!(answer.status, 429);
    assert_eq!(answer.header("retry-after"), Some("7"));
    credentials(&sandbox, &token, &resource_id(&sandbox, "web01"));
}
