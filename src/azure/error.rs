use std::fmt;

use crate::line::Line;

/// A request to Azure Resource Manager, as errors name it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Action {
    /// Create the connectivity endpoint of a machine.
    CreateEndpoint,
    /// Create the service configuration of an endpoint.
    CreateServiceConfiguration,
    /// Find machines by their name.
    ListMachines,
    /// List the relay credentials of a machine.
    ListRelayCredentials,
    /// Look up the address of a VM.
    LookUpAddress,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CreateEndpoint => "create the connectivity endpoint of",
            Self::CreateServiceConfiguration => "create the service configuration of",
            Self::ListMachines => "find machines named",
            Self::ListRelayCredentials => "list the relay credentials of",
            Self::LookUpAddress => "look up the address of",
        })
    }
}

/// Why Azure Resource Manager refused what the account may do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RefusalReason {
    /// A read-only lock is on the machine, its group or its subscription.
    Locked,
    /// Any other reason.
    Other,
    /// The resource provider is not registered in the subscription.
    ProviderNotRegistered,
}

/// Why a request to Azure Resource Manager failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AzureError {
    /// The account lacks the permission.
    #[error("Azure does not let this account {action} `{about}` ({code}): {message}")]
    Forbidden {
        action: Action,
        about: String,
        code: Line,
        message: Line,
    },
    /// The resource does not exist.
    #[error("`{about}` not found in Azure ({code}): {message}")]
    NotFound {
        about: String,
        code: Line,
        message: Line,
    },
    /// Azure refused for another reason.
    #[error("Azure refused to {action} `{about}` (HTTP status {status}, {code}): {message}")]
    Refused {
        action: Action,
        about: String,
        status: u16,
        /// What the code means.
        reason: RefusalReason,
        code: Line,
        message: Line,
    },
    /// The reply does not have the documented form.
    #[error("cannot read Azure's reply to the request to {action} `{about}`")]
    Unintelligible {
        action: Action,
        about: String,
        source: serde_json::Error,
    },
    /// There was no reply.
    #[error("cannot reach Azure Resource Manager")]
    Unreachable(#[source] azure_core::Error),
    /// Azure rejected the token, which may have been accepted before.
    #[error("Azure rejected the token of the sign-in ({code}): {message}")]
    Unauthorized {
        /// The claims to request a new token with, in JSON.
        claims: Option<String>,
        code: Line,
        message: Line,
    },
    /// The token is not for the tenant of this subscription.
    #[error("the sign-in is not for the tenant of `{about}`{}", tenant.as_deref().map(|tenant| format!(", which is `{tenant}`")).unwrap_or_default())]
    WrongTenant {
        about: String,
        /// The tenant of the subscription, if Azure named it.
        tenant: Option<Line>,
    },
}
