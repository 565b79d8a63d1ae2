//! Conditional Access that asks for more before a key is certified: a claims challenge, and the
//! sign-in that answers it.
//!
//! <https://learn.microsoft.com/entra/identity-platform/claims-challenge>
//!
//! ```text
//! refresh token  ──ssh-cert──>  400 interaction_required, AADSTS50076, "claims":"{…capolids…}"
//! sign-in to the SSH scope with "claims"  ──>  a refresh token that is good for certificates
//! ```

use serde_json::{Value, json};

use super::catalogue;
use super::error::EntraError;
use super::scope::{Resource, Scope};
use crate::fault::Fault;
use crate::http::Fields;
use crate::options::User;
use crate::world::World;

/// The policy that asks.
const POLICY: &str = "ca9011c7-0000-4000-8000-000000000401";

/// Returns what a sign-in has to ask for.
pub(crate) fn challenge() -> Value {
    json!({"access_token": {"capolids": {"essential": true, "values": [POLICY]}}})
}

/// Returns whether a sign-in for `scope` with `claims` is one that the challenge asks for.
///
/// A client may ask for claims of its own beside those of the challenge, such as `xms_cc`.
pub(crate) fn answers(claims: Option<&str>, scope: &str, resource_manager: &str) -> bool {
    let for_ssh =
        Scope::parse(scope, resource_manager).is_ok_and(|scope| scope.resource == Resource::Ssh);
    let claims = claims.and_then(|claims| serde_json::from_str::<Value>(claims).ok());
    let asked = |claims: &Value| claims["access_token"]["capolids"].clone();
    for_ssh && claims.is_some_and(|claims| asked(&claims) == asked(&challenge()))
}

/// Checks that a certificate may be issued for a grant of that user.
pub(crate) fn check(
    world: &World,
    form: &Fields,
    user: &User,
    stepped_up: bool,
) -> Result<(), EntraError> {
    let for_certificate = form
        .value("token_type")
        .is_some_and(|kind| kind.eq_ignore_ascii_case("ssh-cert"));
    let policy = world.faults.standing(|fault| match fault {
        Fault::StepUp { upn, .. } => upn
            .as_ref()
            .is_none_or(|upn| upn.eq_ignore_ascii_case(&user.upn)),
        _ => false,
    });
    let Some(Fault::StepUp {
        satisfiable, error, ..
    }) = policy.filter(|_| for_certificate)
    else {
        return Ok(());
    };
    if satisfiable && stepped_up {
        return Ok(());
    }
    Err(EntraError {
        error,
        ..catalogue::refusal(50_076)
    })
}

#[cfg(test)]
mod tests {
    use super::{answers, challenge};

    const SSH: &str = "ce6ff14a-7fdc-4685-bbe0-f6afdfcfa8e0/.default offline_access";
    const ARM: &str = "https://management.core.windows.net//.default";

    #[test]
    fn only_the_challenged_claims_for_the_ssh_scope_are_an_answer() {
        let own = "https://localhost:8443";
        let exact = challenge().to_string();
        assert!(answers(Some(&exact), SSH, own));
        let mut merged = challenge();
        merged["access_token"]["xms_cc"] = serde_json::json!({"values": ["CP1"]});
        assert!(answers(Some(&merged.to_string()), SSH, own));
        assert!(!answers(Some(&exact), ARM, own));
        assert!(!answers(None, SSH, own));
        for other in [
            "{",
            "{}",
            r#"{"access_token":{"xms_cc":{"values":["CP1"]}}}"#,
            r#"{"access_token":{"capolids":{"essential":true,"values":["another"]}}}"#,
        ] {
            assert!(!answers(Some(other), SSH, own), "{other}");
        }
    }
}
