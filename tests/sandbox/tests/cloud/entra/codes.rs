//! Authorization codes with PKCE.

use crate::client::{ARM_SCOPE, AZURE_CLI, SSH_SCOPE, post_form, send, start};

#[test]
fn code_with_pkce_is_redeemed_once_and_only_with_its_verifier() {
    let sandbox = start();
    let verifier = "v".repeat(43);
    let digest = ring::digest::digest(&ring::digest::SHA256, verifier.as_bytes());
    let challenge = base64::Engine::encode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, digest);
    let url = format!(
        "{}/organizations/oauth2/v2.0/authorize?client_id={AZURE_CLI}&response_type=code\
         &redirect_uri=http%3A%2F%2Flocalhost%3A1234%2F&scope={SSH_SCOPE}%20openid\
         &state=a%2Bb&code_challenge={challenge}&code_challenge_method=S256&client_info=1",
        sandbox.authority()
    );
    let page = send(&sandbox, "GET", &url, &[], "").unwrap();
    assert!(
        page.body.contains("value=\"ada@contoso.example\""),
        "{page:?}"
    );
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    let back = send(&sandbox, "POST", &url, &form, "upn=ada%40contoso.example").unwrap();
    let location = back.header("location").unwrap();
    assert!(
        location.starts_with("http://localhost:1234/?code="),
        "{location}"
    );
    assert!(location.contains("&state=a%2Bb&"), "{location}");
    let code = location.split(['=', '&']).nth(1).unwrap().to_owned();
    let redeem = |verifier: &str| {
        post_form(
            &sandbox,
            "/organizations/oauth2/v2.0/token",
            &[
                ("client_id", AZURE_CLI),
                ("grant_type", "authorization_code"),
                ("code", &code),
                ("redirect_uri", "http://localhost:1234/"),
                ("code_verifier", verifier),
                ("scope", ARM_SCOPE),
            ],
        )
        .json()
    };
    // The home tenant is not the one of the path, which is fine for `organizations`.
    assert_eq!(redeem(&"w".repeat(43))["error_codes"][0], 501_481);
    assert_eq!(redeem(&verifier)["token_type"], "Bearer");
    assert_eq!(redeem(&verifier)["error_codes"][0], 54_005);
    let declined = send(&sandbox, "POST", &url, &form, "decline=1").unwrap();
    assert!(
        declined
            .header("location")
            .unwrap()
            .contains("error=access_denied")
    );
}

#[test]
fn foreign_redirects_and_missing_challenges_get_no_code() {
    let sandbox = start();
    let ask = |redirect: &str, rest: &str| {
        let url = format!(
            "{}/organizations/oauth2/v2.0/authorize?client_id={AZURE_CLI}&response_type=code\
             &redirect_uri={redirect}&scope={SSH_SCOPE}{rest}",
            sandbox.authority()
        );
        send(&sandbox, "GET", &url, &[], "").unwrap()
    };
    let evil = ask("https%3A%2F%2Fevil.example%2F", "");
    assert_eq!(evil.status, 400);
    assert!(evil.body.contains("AADSTS50011"));
    let bare = ask("http%3A%2F%2Flocalhost%2F", "&state=s");
    assert_eq!(bare.status, 302);
    assert!(
        bare.header("location")
            .unwrap()
            .contains("error=invalid_request")
    );
}
