//! Faults that tests ask for.

use sandbox::{Fault, Variation};

use super::tid_line;
use crate::client::{certificate, explained, refresh_token, send, start};

#[test]
fn token_fault_has_every_field_of_an_entra_error_and_happens_as_often_as_told() {
    let sandbox = start();
    let token = refresh_token(&sandbox, "organizations", "ada@contoso.example");
    let fault = Fault::Token {
        aadsts: 50_076,
        error: "interaction_required".to_owned(),
        description: "Due to a configuration change made by your administrator.".to_owned(),
        claims: Some(r#"{"access_token":{}}"#.to_owned()),
        suberror: Some("basic_action".to_owned()),
        status: 400,
        retry_after: None,
        grant_type: None,
        token_type: Some("ssh-cert".to_owned()),
    };
    sandbox.fault(fault.times(2));
    for _ in 0..2 {
        let answer = certificate(&sandbox, "organizations", &token);
        assert_eq!(answer["error"], "interaction_required");
        assert_eq!(answer["error_codes"], serde_json::json!([50_076]));
        assert_eq!(answer["claims"], r#"{"access_token":{}}"#);
        assert_eq!(answer["suberror"], "basic_action");
        let description = answer["error_description"].as_str().unwrap();
        assert!(
            description.starts_with("AADSTS50076: Due to"),
            "{description}"
        );
        for field in ["timestamp", "trace_id", "correlation_id"] {
            assert!(description.contains(answer[field].as_str().unwrap()));
        }
    }
    explained(&certificate(&sandbox, "organizations", &token));
}

#[test]
fn certificate_faults_change_what_they_say() {
    let sandbox = start();
    let token = refresh_token(&sandbox, "organizations", "ada@contoso.example");
    let with = |variation, lifetime_seconds| {
        sandbox.fault(Fault::Certificate {
            variation,
            lifetime_seconds,
        });
        certificate(&sandbox, "organizations", &token)
    };
    assert!(explained(&with(Variation::Host, None)).contains("host certificate"));
    assert!(explained(&with(Variation::NoPrincipals, None)).contains("Principals: (none)"));
    assert_eq!(with(Variation::Bearer, None)["token_type"], "Bearer");
    assert_eq!(with(Variation::None, Some(30))["expires_in"], 29);
    let key = |text: &str| {
        let line = text
            .lines()
            .find(|line| line.contains("Public key"))
            .unwrap();
        line.to_owned()
    };
    let usual = explained(&certificate(&sandbox, "organizations", &token));
    let wrong = explained(&with(Variation::WrongKey, None));
    assert_ne!(key(&usual), key(&wrong));
    let fabrikam = &sandbox.options().tenants[1].id;
    let foreign = explained(&with(Variation::WrongTenant, None));
    assert!(foreign.contains(&tid_line(fabrikam)), "{foreign}");
    assert!(!usual.contains(&tid_line(fabrikam)), "{usual}");
    for variation in [Variation::Expired, Variation::NotYetValid] {
        let text = explained(&with(variation, None));
        assert!(text.contains("Valid: from"), "{text}");
    }
}

#[test]
fn outage_closes_connections_without_an_answer() {
    let sandbox = start();
    sandbox.fault(Fault::Outage.times(0));
    let url = format!(
        "{}/organizations/v2.0/.well-known/openid-configuration",
        sandbox.authority()
    );
    assert!(send(&sandbox, "GET", &url, &[], "").is_err());
    sandbox.clear_faults();
    let answer = send(&sandbox, "GET", &url, &[], "").unwrap().json();
    assert!(
        answer["token_endpoint"]
            .as_str()
            .unwrap()
            .ends_with("/organizations/oauth2/v2.0/token")
    );
}
