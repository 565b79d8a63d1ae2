//! Reads a refusal of Azure Resource Manager: `{"error":{"code":"…","message":"…"}}`.
//!
//! <https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting/common-deployment-errors>

use serde::Deserialize;

use super::error::{Action, AzureError, RefusalReason};
use crate::line::Line;

/// A refusal, as the body of a reply has it.
#[derive(Deserialize)]
pub(super) struct Refusal {
    #[serde(default)]
    code: Line,
    #[serde(default)]
    message: Line,
}

#[derive(Deserialize)]
struct Body {
    error: Refusal,
}

/// What an error code means, for the codes that decide something.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Meaning {
    Locked,
    Other,
    ParentNotFound,
    ProviderNotRegistered,
    ResourceNotFound,
    WrongTenant,
}

impl Meaning {
    fn of(code: &str) -> Self {
        match code {
            "InvalidAuthenticationTokenTenant" => Self::WrongTenant,
            "MissingRegistrationForLocation"
            | "MissingRegistrationForResourceType"
            | "MissingSubscriptionRegistration"
            | "NoRegisteredProviderFound" => Self::ProviderNotRegistered,
            "ParentResourceNotFound" | "ResourceGroupNotFound" | "SubscriptionNotFound" => {
                Self::ParentNotFound
            }
            "ResourceNotFound" => Self::ResourceNotFound,
            "ScopeLocked" => Self::Locked,
            _ => Self::Other,
        }
    }
}

impl Refusal {
    /// Reads the body of a reply; one that holds no refusal gave no reason.
    pub(super) fn parse(body: &[u8]) -> Self {
        serde_json::from_slice::<Body>(body).map_or_else(
            |_| Self {
                code: "no code".into(),
                message: "it gave no reason".into(),
            },
            |body| body.error,
        )
    }

    /// Returns whether a 404 misses the connectivity endpoint of a machine, and not the machine itself.
    ///
    /// Both may have the code `ResourceNotFound`; which resource it is stands in the message alone, in the first quotes:
    /// `The Resource 'Microsoft.HybridCompute/machines/web01' under resource group 'rg' was not found.`
    pub(super) fn misses_endpoint(&self) -> bool {
        match Meaning::of(&self.code) {
            Meaning::ParentNotFound => false,
            Meaning::ResourceNotFound => match self.message.split('\'').nth(1) {
                Some(resource) => resource
                    .split('/')
                    .any(|part| part.eq_ignore_ascii_case("Microsoft.HybridConnectivity")),
                None => self.message.contains("endpoint"),
            },
            _ => true,
        }
    }

    /// Returns the error for a reply with this status; `tenant` and `claims` are from its challenge.
    pub(super) fn into_error(
        self,
        status: u16,
        (tenant, claims): (Option<&str>, Option<&str>),
        action: Action,
        about: &str,
    ) -> AzureError {
        let meaning = Meaning::of(&self.code);
        let Self { code, message } = self;
        let about = about.to_owned();
        match status {
            401 if meaning == Meaning::WrongTenant => AzureError::WrongTenant {
                about,
                tenant: tenant.map(Line::from),
            },
            401 => AzureError::Unauthorized {
                claims: claims.map(str::to_owned),
                code,
                message,
            },
            403 => AzureError::Forbidden {
                action,
                about,
                code,
                message,
            },
            404 => AzureError::NotFound {
                about,
                code,
                message,
            },
            _ => AzureError::Refused {
                action,
                about,
                status,
                reason: match meaning {
                    Meaning::Locked => RefusalReason::Locked,
                    Meaning::ProviderNotRegistered => RefusalReason::ProviderNotRegistered,
                    _ => RefusalReason::Other,
                },
                code,
                message,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(code: &str, message: &str) -> Refusal {
        let body = serde_json::json!({"error": {"code": code, "message": message}});
        Refusal::parse(body.to_string().as_bytes())
    }

    #[test]
    fn a_missing_machine_is_not_taken_for_a_missing_endpoint() {
        let endpoint =
            "The Resource 'Microsoft.HybridConnectivity/endpoints/default' was not found";
        for (code, message, expected) in [
            ("ResourceNotFound", endpoint, true),
            (
                "ResourceNotFound",
                "The endpoint default was not found",
                true,
            ),
            ("EndpointNotFound", "", true),
            (
                "ResourceGroupNotFound",
                "Resource group 'rg' could not be found.",
                false,
            ),
            ("ParentResourceNotFound", endpoint, false),
            (
                "ResourceNotFound",
                "The Resource 'Microsoft.HybridCompute/machines/x' under resource group 'rg' was not found.",
                false,
            ),
            (
                "ResourceNotFound",
                "The Resource 'Microsoft.HybridCompute/machines/endpoint-01' under resource group 'rg' was not found.",
                false,
            ),
        ] {
            assert_eq!(
                refusal(code, message).misses_endpoint(),
                expected,
                "{code}: {message}"
            );
        }
        assert!(Refusal::parse(b"").misses_endpoint());
    }

    #[test]
    fn the_status_and_the_code_decide_what_a_refusal_is() {
        let error = |status, code| {
            refusal(code, "m").into_error(status, (Some("t"), None), Action::ListMachines, "web01")
        };
        assert!(matches!(
            error(401, "InvalidAuthenticationTokenTenant"),
            AzureError::WrongTenant {
                tenant: Some(_),
                ..
            }
        ));
        assert!(matches!(
            error(401, "ExpiredAuthenticationToken"),
            AzureError::Unauthorized { .. }
        ));
        assert!(matches!(
            error(403, "AuthorizationFailed"),
            AzureError::Forbidden {
                action: Action::ListMachines,
                ..
            }
        ));
        assert!(matches!(error(404, "x"), AzureError::NotFound { .. }));
        for (code, expected) in [
            ("ScopeLocked", RefusalReason::Locked),
            (
                "MissingSubscriptionRegistration",
                RefusalReason::ProviderNotRegistered,
            ),
            (
                "NoRegisteredProviderFound",
                RefusalReason::ProviderNotRegistered,
            ),
            ("Conflict", RefusalReason::Other),
        ] {
            let AzureError::Refused { reason, .. } = error(409, code) else {
                panic!("{code} is another error");
            };
            assert_eq!(reason, expected, "{code}");
        }
    }
}
