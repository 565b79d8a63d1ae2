use serde::Deserialize;

use crate::line::Line;

/// Why Azure Resource Manager did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AzureError {
    /// The account may not do this.
    #[error("Azure does not let this account {what} of `{about}` ({code}): {message}")]
    Forbidden {
        /// What was asked for.
        what: &'static str,
        /// Of what.
        about: String,
        /// The error code.
        code: Line,
        /// What Azure says.
        message: Line,
    },
    /// There is no such thing.
    #[error("Azure knows no `{about}` ({code}): {message}")]
    NotFound {
        /// What was asked for.
        about: String,
        /// The error code.
        code: Line,
        /// What Azure says.
        message: Line,
    },
    /// It refused for another reason.
    #[error("Azure refused to {what} of `{about}` (HTTP status {status}, {code}): {message}")]
    Refused {
        /// What was asked for.
        what: &'static str,
        /// Of what.
        about: String,
        /// The HTTP status.
        status: u16,
        /// The error code.
        code: Line,
        /// What Azure says.
        message: Line,
    },
    /// The reply is not of the form that is documented.
    #[error("Azure's reply to the request to {what} cannot be read")]
    Unintelligible {
        /// What was asked for.
        what: &'static str,
        /// Why.
        source: serde_json::Error,
    },
    /// There was no reply.
    #[error("cannot reach Azure Resource Manager")]
    Unreachable(#[source] azure_core::Error),
    /// The token is not taken (any more).
    #[error("Azure does not take the sign-in's token ({code}): {message}")]
    Unauthorized {
        /// The claims that a new token has to be asked for with, in JSON.
        claims: Option<String>,
        /// The error code.
        code: Line,
        /// What Azure says.
        message: Line,
    },
    /// The token is not for the tenant of this subscription.
    #[error("the sign-in is not for the tenant of `{about}`{}", tenant.as_deref().map(|tenant| format!(", which is `{tenant}`")).unwrap_or_default())]
    WrongTenant {
        /// What was asked for.
        about: String,
        /// The tenant that it belongs to.
        tenant: Option<Line>,
    },
}

#[derive(Deserialize)]
struct Body {
    error: Inner,
}

#[derive(Deserialize)]
struct Inner {
    #[serde(default)]
    code: Line,
    #[serde(default)]
    message: Line,
}

pub(super) fn read_refusal(
    status: u16,
    (tenant, claims): (Option<&str>, Option<&str>),
    body: &[u8],
    what: &'static str,
    about: &str,
) -> AzureError {
    let Inner { code, message } = serde_json::from_slice::<Body>(body).map_or_else(
        |_| Inner {
            code: "no code".into(),
            message: "it gave no reason".into(),
        },
        |body| body.error,
    );
    let about = about.to_owned();
    match status {
        401 if code != "InvalidAuthenticationTokenTenant" => AzureError::Unauthorized {
            claims: claims.map(str::to_owned),
            code,
            message,
        },
        401 => AzureError::WrongTenant {
            about,
            tenant: tenant.map(Line::from),
        },
        403 => AzureError::Forbidden {
            what,
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
            what,
            about,
            status,
            code,
            message,
        },
    }
}
