use super::{AssertionError, Refusal};
use crate::host::http::HttpError;
use crate::line::Line;

/// Why no token could be acquired from Entra.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EntraError {
    /// No client assertion could be made.
    #[error(transparent)]
    Assertion(AssertionError),
    /// The user did not finish a device code sign-in in time.
    #[error("the code was not entered within {minutes} minutes")]
    DeviceCodeExpired {
        /// How long the code was valid.
        minutes: u64,
    },
    /// The Azure SDK could not send the request.
    #[error("cannot request a token from Entra")]
    Pipeline(#[source] azure_core::Error),
    /// Entra refused the request.
    #[error("{0}")]
    Refused(Box<Refusal>),
    /// The reply is not one of a token endpoint.
    #[error("`{host}` did not answer like a token endpoint (HTTP status {status})")]
    Unintelligible { host: String, status: u16 },
    /// There was no reply.
    #[error("cannot request a token from Entra")]
    Unreachable(#[from] HttpError),
    /// The page for the device code may not be Entra's.
    #[error("Entra's page for entering the code is not an https address: `{address}`")]
    UnsafePage { address: Line },
    /// The reply holds another kind of token than was requested.
    #[error("expected {expected} from Entra, and got a token of the type `{given}`")]
    WrongTokenType {
        expected: &'static str,
        /// The `token_type` of the reply.
        given: Line,
    },
}
