//! Scopes: which resource a token is for.

use super::error::EntraError;
use crate::workload::EXCHANGE_AUDIENCE;

/// The resources there are tokens for, and the audience that ends up in the token.
const RESOURCES: [(&str, Resource, &str); 10] = [
    (
        "ce6ff14a-7fdc-4685-bbe0-f6afdfcfa8e0",
        Resource::Ssh,
        SSH_AUDIENCE,
    ),
    (
        "https://pas.windows.net/CheckMyAccess/Linux",
        Resource::Ssh,
        SSH_AUDIENCE,
    ),
    (
        "https://pas.chinacloudapi.cn/CheckMyAccess/Linux",
        Resource::Ssh,
        SSH_AUDIENCE,
    ),
    (
        "https://pasff.usgovcloudapi.net/CheckMyAccess/Linux",
        Resource::Ssh,
        SSH_AUDIENCE,
    ),
    (
        "https://management.core.windows.net/",
        Resource::Arm,
        ARM_AUDIENCE,
    ),
    (
        "https://management.core.windows.net",
        Resource::Arm,
        ARM_AUDIENCE,
    ),
    ("https://management.azure.com/", Resource::Arm, ARM_AUDIENCE),
    ("https://management.azure.com", Resource::Arm, ARM_AUDIENCE),
    (
        "https://graph.microsoft.com",
        Resource::Graph,
        GRAPH_AUDIENCE,
    ),
    (
        EXCHANGE_AUDIENCE,
        Resource::TokenExchange,
        EXCHANGE_AUDIENCE,
    ),
];

/// The app "Azure Linux VM Sign-In".
const SSH_AUDIENCE: &str = "ce6ff14a-7fdc-4685-bbe0-f6afdfcfa8e0";
/// What ARM takes.
pub(crate) const ARM_AUDIENCE: &str = "https://management.core.windows.net/";
const GRAPH_AUDIENCE: &str = "https://graph.microsoft.com";

/// Scopes that ask for more than a token of some resource.
const OPEN_ID_SCOPES: [&str; 4] = ["email", "offline_access", "openid", "profile"];

/// What a token opens.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Resource {
    Arm,
    Graph,
    Ssh,
    /// What is exchanged for a token of an application that trusts it.
    TokenExchange,
}

/// A scope field that was understood.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    pub(crate) resource: Resource,
    pub(crate) audience: &'static str,
    /// What the answer's `scope` field says.
    pub(crate) granted: String,
    pub(crate) open_id: bool,
    pub(crate) offline_access: bool,
}

impl Scope {
    /// Parses a `scope` field; `resource_manager` is the sandbox's own ARM address.
    pub(crate) fn parse(text: &str, resource_manager: &str) -> Result<Self, EntraError> {
        let mut names = text
            .split_ascii_whitespace()
            .filter(|name| !OPEN_ID_SCOPES.contains(name));
        let asked = |scope: &str| text.split_ascii_whitespace().any(|name| name == scope);
        let first = names.next();
        let (resource, audience) = match first {
            Some(name) => find(name, resource_manager)?,
            None if asked("openid") => (Resource::Graph, GRAPH_AUDIENCE),
            None => return Err(EntraError::missing("scope")),
        };
        for name in names {
            if find(name, resource_manager)?.0 != resource {
                return Err(EntraError::invalid_request(
                    28_000,
                    "Provided value for the input parameter scope is not valid because it \
                     contains more than one resource.",
                ));
            }
        }
        Ok(Self {
            resource,
            audience,
            granted: first.map_or_else(|| text.to_owned(), granted),
            open_id: asked("openid"),
            offline_access: asked("offline_access"),
        })
    }
}

fn find(name: &str, resource_manager: &str) -> Result<(Resource, &'static str), EntraError> {
    // The permission is what stands behind the last slash; `//` means that the resource ends in one.
    let Some((resource, _permission)) = name.rsplit_once('/') else {
        return Err(EntraError::new(
            "invalid_scope",
            70_011,
            format!(
                "The provided request must include a 'scope' input parameter. The provided value \
                 for the input parameter 'scope' is not valid. The scope {name} is not valid."
            ),
        ));
    };
    if resource
        .trim_end_matches('/')
        .eq_ignore_ascii_case(resource_manager)
    {
        return Ok((Resource::Arm, ARM_AUDIENCE));
    }
    RESOURCES
        .iter()
        .find(|(known, _, _)| known.eq_ignore_ascii_case(resource))
        .map(|(_, resource, audience)| (*resource, *audience))
        .ok_or_else(|| {
            EntraError::new(
                "invalid_resource",
                500_011,
                format!(
                    "The resource principal named {resource} was not found in the tenant. This \
                     can happen if the application has not been installed by the administrator \
                     of the tenant or consented to by any user in the tenant."
                ),
            )
        })
}

/// Names the permission behind `.default`.
fn granted(name: &str) -> String {
    match name.strip_suffix("/.default") {
        Some(resource) => format!("{resource}/user_impersonation {resource}/.default"),
        None => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Resource, Scope};

    const OWN: &str = "https://localhost:8443";

    #[test]
    fn double_slash_names_the_arm_resource() {
        let scope = Scope::parse("https://management.core.windows.net//.default openid", OWN);
        let scope = scope.unwrap();
        assert_eq!(scope.resource, Resource::Arm);
        assert!(scope.open_id);
        assert!(!scope.offline_access);
    }

    #[test]
    fn own_resource_manager_is_a_resource() {
        let scope = Scope::parse("https://localhost:8443//.default", OWN).unwrap();
        assert_eq!(scope.resource, Resource::Arm);
    }

    #[test]
    fn unknown_resource_and_bare_word_are_refused() {
        let unknown = Scope::parse("https://vault.example/.default", OWN).unwrap_err();
        assert_eq!(unknown.aadsts, 500_011);
        assert_eq!(Scope::parse("nonsense", OWN).unwrap_err().aadsts, 70_011);
    }
}
