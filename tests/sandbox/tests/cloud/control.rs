//! The control service, and the journal.

use serde_json::{Value, json};

use crate::client::{ARM_SCOPE, AZURE_CLI, Answer, DEVICE_CODE, post_form, send, start};

#[test]
fn everything_a_test_does_can_be_done_from_outside() {
    let sandbox = start();
    let control = sandbox.description().control;
    let ask = |method: &str, path: &str, body: &Value| -> Answer {
        let body = body.to_string();
        send(&sandbox, method, &format!("{control}{path}"), &[], &body).unwrap()
    };
    let fields = [("client_id", AZURE_CLI), ("scope", ARM_SCOPE)];
    let started = post_form(&sandbox, "/organizations/oauth2/v2.0/devicecode", &fields).json();
    let user_code = &started["user_code"];
    assert_eq!(
        ask("GET", "/pending", &Value::Null).json(),
        json!([user_code])
    );
    let approval = json!({"user_code": user_code, "upn": "ADA@contoso.example"});
    assert_eq!(ask("POST", "/approve", &approval).status, 200);
    let fault = json!({"where": "token", "aadsts": 53_003, "error": "access_denied",
                       "description": "Blocked by Conditional Access."});
    assert_eq!(ask("POST", "/fault", &fault).status, 200);
    let redeem = || {
        let fields = [
            ("client_id", AZURE_CLI),
            ("grant_type", DEVICE_CODE),
            ("device_code", started["device_code"].as_str().unwrap()),
        ];
        post_form(&sandbox, "/organizations/oauth2/v2.0/token", &fields).json()
    };
    assert_eq!(redeem()["error_codes"][0], 53_003);
    assert_eq!(redeem()["token_type"], "Bearer");
    let rows = ask("GET", "/requests", &Value::Null).json();
    let last = rows.as_array().unwrap().last().unwrap();
    assert_eq!(last["service"], "entra");
    assert_eq!(last["status"], 200);
    assert_eq!(last["form"]["device_code"], "***");
    assert_eq!(last["form"]["client_id"], AZURE_CLI);
    assert_eq!(ask("DELETE", "/requests", &Value::Null).status, 200);
    assert_eq!(ask("GET", "/requests", &Value::Null).json(), json!([]));
}

#[test]
fn nonsense_is_answered_with_400_or_404() {
    let sandbox = start();
    let control = sandbox.description().control;
    let status = |method: &str, path: &str, body: &str| {
        send(&sandbox, method, &format!("{control}{path}"), &[], body)
            .unwrap()
            .status
    };
    assert_eq!(status("POST", "/fault", "{"), 400);
    assert_eq!(status("POST", "/fault", r#"{"where":"nowhere"}"#), 400);
    assert_eq!(
        status(
            "POST",
            "/approve",
            r#"{"user_code":"X","upn":"ada@contoso.example"}"#
        ),
        400
    );
    assert_eq!(status("GET", "/nothing", ""), 404);
}

#[test]
fn files_are_private_and_go_with_the_sandbox() {
    let sandbox = start();
    let cloud = sandbox.cloud_file();
    let text = std::fs::read_to_string(&cloud).unwrap();
    assert!(text.contains(&format!("authority = \"{}\"", sandbox.authority())));
    assert!(sandbox.ca_file().exists());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = cloud.parent().unwrap().metadata().unwrap();
        assert_eq!(folder.permissions().mode() & 0o777, 0o700);
    }
    drop(sandbox);
    assert!(!cloud.parent().unwrap().exists());
}
