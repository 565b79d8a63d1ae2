use super::{AssertionError, Refusal};
use crate::host::http::HttpError;
use crate::line::Line;

/// Why Entra gave no token.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EntraError {
    /// There is no client assertion to ask with.
    #[error(transparent)]
    Assertion(AssertionError),
    /// The person did not finish a device code sign-in in time.
    #[error("nobody entered the code within {minutes} minutes")]
    DeviceCodeExpired {
        /// How long the code was good for.
        minutes: u64,
    },
    /// The Azure SDK could not send the request.
    #[error("cannot ask Entra for a token")]
    Pipeline(#[source] azure_core::Error),
    /// Entra said no.
    #[error("{0}")]
    Refused(Box<Refusal>),
    /// What came back is not what a token endpoint sends.
    #[error("`{host}` did not answer like a token endpoint (HTTP status {status})")]
    Unintelligible {
        /// The host that answered.
        host: String,
        /// The HTTP status.
        status: u16,
    },
    /// There was no reply.
    #[error("cannot ask Entra for a token")]
    Unreachable(#[from] HttpError),
    /// The page where a device code is to be entered cannot be known to be the right one.
    #[error("Entra's page for entering the code is not an https address: `{address}`")]
    UnsafePage {
        /// The address.
        address: Line,
    },
    /// Another kind of token came than was asked for.
    #[error("Entra was asked for {expected} and gave a token of the type `{given}`")]
    WrongTokenType {
        /// What was asked for.
        expected: &'static str,
        /// The `token_type` of the reply.
        given: Line,
    },
}
