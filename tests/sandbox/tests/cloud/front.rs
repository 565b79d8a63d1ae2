//! Networks that are not as they should be, and refusals in Entra's own words.

use std::process::{Command, Stdio};

use sandbox::{Fault, Sandbox};
use serde_json::Value;

use crate::client::{
    ARM_SCOPE, AZURE_CLI, Answer, DEVICE_CODE, arm, arm_token, post_form, send, start,
};

const SUBSCRIPTIONS: &str = "/subscriptions?api-version=2022-12-01";

/// Asks the token endpoint with a grant that is worth nothing.
fn ask(sandbox: &Sandbox, grant: &str) -> Answer {
    let fields = [("client_id", AZURE_CLI), ("grant_type", grant)];
    post_form(sandbox, "/organizations/oauth2/v2.0/token", &fields)
}

#[test]
fn portal_and_gateway_answer_instead_of_the_service_as_often_as_told() {
    let sandbox = start();
    let token = arm_token(&sandbox, "organizations", "ada@contoso.example");
    sandbox.fault(Fault::CaptivePortal {
        path: "/TOKEN".to_owned(),
    });
    let answer = ask(&sandbox, "refresh_token");
    assert_eq!(answer.status, 200);
    assert!(
        answer
            .header("content-type")
            .unwrap()
            .starts_with("text/html")
    );
    assert_eq!(ask(&sandbox, "refresh_token").status, 400);
    sandbox.fault(
        Fault::Gateway {
            path: "/subscriptions".to_owned(),
            status: 503,
            retry_after: Some(2),
        }
        .times(2),
    );
    let list = || arm(&sandbox, &token, "GET", SUBSCRIPTIONS, &Value::Null);
    for _ in 0..2 {
        let answer = list();
        assert_eq!(answer.status, 503);
        assert_eq!(answer.header("retry-after"), Some("2"));
    }
    assert_eq!(list().status, 200);
}

#[test]
fn an_oversized_reply_has_two_mebibytes() {
    let sandbox = start();
    let control = sandbox.description().control;
    let fault = r#"{"where":"oversized","path":"/subscriptions"}"#;
    send(&sandbox, "POST", &format!("{control}/fault"), &[], fault).unwrap();
    let answer = arm(&sandbox, "", "GET", SUBSCRIPTIONS, &Value::Null);
    assert_eq!(answer.status, 200);
    assert!(answer.body.len() > 2 * 1024 * 1024);
    assert!(answer.json()["padding"].is_string());
}

#[test]
fn a_clock_that_is_off_shows_in_the_date_of_every_reply() {
    let sandbox = start();
    let url = format!("{}{SUBSCRIPTIONS}", sandbox.authority());
    let dates = || {
        let answer = send(&sandbox, "GET", &url, &[], "").unwrap();
        let dates = answer
            .head
            .lines()
            .filter(|line| line.to_lowercase().starts_with("date:"));
        let dates: Vec<String> = dates.map(str::to_owned).collect();
        assert_eq!(dates.len(), 1, "{answer:?}");
        dates[0].clone()
    };
    let now = dates();
    sandbox.fault(Fault::Clock {
        offset_seconds: -400 * 86_400,
        certificates: false,
    });
    let year = |date: &str| date.split(' ').nth(4).unwrap().parse::<u16>().unwrap();
    for _ in 0..2 {
        assert!(year(&dates()) < year(&now));
    }
    sandbox.clear_faults();
    assert_eq!(year(&dates()), year(&now));
}

#[test]
fn every_worded_code_comes_whole_for_every_grant() {
    let sandbox = start();
    let codes = Fault::worded_codes();
    for (index, code) in codes.iter().enumerate() {
        let grants = [
            "authorization_code",
            "client_credentials",
            DEVICE_CODE,
            "refresh_token",
        ];
        let grant = grants[index % grants.len()];
        sandbox.fault(Fault::aadsts(*code));
        let answer = ask(&sandbox, grant);
        let body = answer.json();
        assert_eq!(body["error_codes"], serde_json::json!([code]));
        let description = body["error_description"].as_str().unwrap();
        assert!(
            description.starts_with(&format!("AADSTS{code}: ")),
            "{description}"
        );
        for field in ["timestamp", "trace_id", "correlation_id"] {
            assert!(description.contains(body[field].as_str().unwrap()));
        }
        assert!(
            body["error_uri"]
                .as_str()
                .unwrap()
                .ends_with(&code.to_string())
        );
        let refused = if body["error"] == "invalid_client" {
            401
        } else {
            400
        };
        assert!([refused, 429].contains(&answer.status), "{answer:?}");
    }
}

#[test]
fn authorize_page_sends_back_a_refusal_or_tells_it_itself() {
    let sandbox = start();
    let url = format!(
        "{}/organizations/oauth2/v2.0/authorize?client_id={AZURE_CLI}&response_type=code\
         &redirect_uri=http%3A%2F%2Flocalhost%3A1234&scope={ARM_SCOPE}&state=s\
         &code_challenge={}&code_challenge_method=S256",
        sandbox.authority(),
        "c".repeat(43)
    );
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    let choose = || send(&sandbox, "POST", &url, &form, "upn=ada%40contoso.example").unwrap();
    let fault = |on_page| Fault::Authorize {
        aadsts: 53_003,
        error: String::new(),
        description: String::new(),
        on_page,
    };
    sandbox.fault(fault(false));
    let answer = choose();
    let location = answer.header("location").unwrap();
    assert!(
        location.starts_with(
            "http://localhost:1234?error=invalid_grant&error_description=AADSTS53003%3A%20Access"
        ),
        "{location}"
    );
    assert!(location.contains("%0D%0ATrace%20ID%3A%20"), "{location}");
    assert!(location.ends_with("&state=s"), "{location}");
    sandbox.fault(fault(true));
    let answer = choose();
    assert_eq!(answer.status, 400);
    assert!(answer.body.contains("AADSTS53003: Access"), "{answer:?}");
    assert!(choose().header("location").unwrap().contains("code="));
}

#[test]
#[expect(clippy::disallowed_methods, reason = "`openssl` is the judge here")]
fn a_middlebox_shows_a_certificate_that_nobody_trusts() {
    let sandbox = start();
    let file = std::fs::read_to_string(sandbox.inspected_cloud_file()).unwrap();
    let address = file
        .lines()
        .find_map(|line| line.strip_prefix("authority = "));
    let address = address.unwrap().trim_matches('"');
    assert_ne!(address, sandbox.authority());
    let error = send(&sandbox, "GET", &format!("{address}/"), &[], "").unwrap_err();
    assert!(error.to_string().contains("UnknownIssuer"), "{error}");
    let presented = Command::new("openssl")
        .args([
            "s_client",
            "-connect",
            address.trim_start_matches("https://"),
        ])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let presented = String::from_utf8_lossy(&presented.stdout).into_owned();
    assert!(
        presented.contains("issuer=CN = Contoso TLS Inspection CA"),
        "{presented}"
    );
}
