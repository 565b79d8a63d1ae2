use serde_json::{Map, Value};

use crate::cloud::Cloud;

/// The scopes that keep a sign-in alive beyond one token: a refresh token, and who signed in.
pub(super) const SIGN_IN_SCOPES: &str = "offline_access openid profile";

/// A Microsoft application to acquire tokens for. Each has Conditional Access policies of its own.
#[derive(Clone, Copy, Debug, Eq, PartialEq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Application {
    /// Azure Resource Manager.
    ResourceManager,
    /// *Azure Linux VM Sign-In*.
    Ssh,
}

impl Application {
    /// Returns the scope for everything that the client may do there.
    #[must_use]
    pub fn scope(self, cloud: &Cloud) -> &str {
        match self {
            Self::ResourceManager => &cloud.resource_manager_scope,
            Self::Ssh => &cloud.ssh_scope,
        }
    }
}

/// What the user signs in for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Prompt<'a> {
    /// The application, whose policies apply to the sign-in.
    pub application: Application,
    /// The claims that a refusal demanded, in JSON.
    pub claims: Option<&'a str>,
    /// The account that the page proposes.
    pub login_hint: Option<&'a str>,
}

impl Prompt<'_> {
    /// Returns the prompt of a first sign-in.
    #[must_use]
    pub(crate) const fn first() -> Self {
        Self {
            application: Application::ResourceManager,
            claims: None,
            login_hint: None,
        }
    }

    pub(super) fn scope(&self, cloud: &Cloud) -> String {
        format!("{} {SIGN_IN_SCOPES}", self.application.scope(cloud))
    }

    /// Returns the claims request parameter (`OpenID` Connect Core, section 5.5): what this client can do, and the demanded
    /// claims.
    pub(super) fn claims_parameter(&self) -> String {
        claims_parameter(self.claims)
    }
}

/// Returns the claims request parameter: what this client can do, and the demanded claims, in JSON.
pub(super) fn claims_parameter(asked: Option<&str>) -> String {
    let mut all = client_capabilities();
    let asked = asked.and_then(|claims| serde_json::from_str::<Map<String, Value>>(claims).ok());
    merge(&mut all, asked.unwrap_or_default());
    Value::Object(all).to_string()
}

/// Declares that this client can handle claims challenges: `{"access_token":{"xms_cc":{"values":["CP1"]}}}`.
fn client_capabilities() -> Map<String, Value> {
    let capabilities = serde_json::json!({ "access_token": { "xms_cc": { "values": ["CP1"] } } });
    match capabilities {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn merge(into: &mut Map<String, Value>, from: Map<String, Value>) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(Value::Object(inner)), Value::Object(more)) => merge(inner, more),
            (_, value) => {
                into.insert(key, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_that_were_asked_for_stand_beside_those_of_the_client() {
        let mut prompt = Prompt::first();
        assert_eq!(
            prompt.claims_parameter(),
            r#"{"access_token":{"xms_cc":{"values":["CP1"]}}}"#
        );
        let asked = r#"{"access_token":{"capolids":{"essential":true,"values":["c1"]}}}"#;
        prompt.claims = Some(asked);
        let sent: Value = serde_json::from_str(&prompt.claims_parameter()).unwrap();
        assert_eq!(sent["access_token"]["capolids"]["values"][0], "c1");
        assert_eq!(sent["access_token"]["xms_cc"]["values"][0], "CP1");
    }

    #[test]
    fn claims_that_are_no_json_are_not_passed_on() {
        let prompt = Prompt {
            claims: Some("nonsense"),
            ..Prompt::first()
        };
        assert_eq!(
            prompt.claims_parameter(),
            Prompt::first().claims_parameter()
        );
    }
}
