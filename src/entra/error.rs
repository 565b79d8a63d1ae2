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
    #[error("the code was not entered within {minutes} minutes")]
    DeviceCodeExpired {
        /// How long the code was good for.
        minutes: u64,
    },
    /// The Azure SDK could not send the request.
    #[error("cannot request a token from Entra")]
    Pipeline(#[source] azure_core::Error),
    /// Entra said no.
    #[error("{0}")]
    Refused(Box<Refusal>),
    /// What came back is not what a token endpoint sends.
    #[error("`{host}` did not answer like a token endpoint (HTTP status {status})")]
    Unintelligible {
        host: String,
        status: u16,
    },
    /// There was no reply.
    #[error("cannot request a token from Entra")]
    Unreachable(#[from] HttpError),
    /// The page where a device code is to be entered cannot be known to be the right one.
    #[error("Entra's page for entering the code is not an https address: `{address}`")]
    UnsafePage {
        address: Line,
    },
    /// Another kind of token came than was asked for.
    #[error("expected {expected} from Entra, and got a token of the type `{given}`")]
    WrongTokenType {
        expected: &'static str,
        /// The `token_type` of the reply.
        given: Line,
    },
}
