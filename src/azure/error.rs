use std::fmt;

use crate::line::Line;

/// What was asked of Azure Resource Manager.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Action {
    /// Create the connectivity endpoint of a machine.
    CreateEndpoint,
    /// Create the service configuration of an endpoint.
    CreateServiceConfiguration,
    /// List the machines of a name.
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
    /// A reason that has no name here.
    Other,
    /// The resource provider is not registered in the subscription.
    ProviderNotRegistered,
}

/// Why Azure Resource Manager did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AzureError {
    /// The account may not do this.
    #[error("Azure does not let this account {action} `{about}` ({code}): {message}")]
    Forbidden {
        action: Action,
        about: String,
        code: Line,
        message: Line,
    },
    /// There is no such thing.
    #[error("`{about}` not found in Azure ({code}): {message}")]
    NotFound {
        about: String,
        code: Line,
        message: Line,
    },
    /// It refused for another reason.
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
    /// The reply is not of the form that is documented.
    #[error("cannot read Azure's reply to the request to {action} `{about}`")]
    Unintelligible {
        action: Action,
        about: String,
        source: serde_json::Error,
    },
    /// There was no reply.
    #[error("cannot reach Azure Resource Manager")]
    Unreachable(#[source] azure_core::Error),
    /// The token is not taken (any more).
    #[error("Azure rejected the token of the sign-in ({code}): {message}")]
    Unauthorized {
        /// The claims that a new token has to be asked for with, in JSON.
        claims: Option<String>,
        code: Line,
        message: Line,
    },
    /// The token is not for the tenant of this subscription.
    #[error("the sign-in is not for the tenant of `{about}`{}", tenant.as_deref().map(|tenant| format!(", which is `{tenant}`")).unwrap_or_default())]
    WrongTenant {
        about: String,
        /// The tenant that it belongs to.
        tenant: Option<Line>,
    },
}
