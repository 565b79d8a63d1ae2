use crate::host::http::HttpError;

/// Why Entra gave no token.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EntraError {
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
    /// Another kind of token came than was asked for.
    #[error("Entra was asked for {expected} and gave a token of the type `{given}`")]
    WrongTokenType {
        /// What was asked for.
        expected: &'static str,
        /// The `token_type` of the reply.
        given: String,
    },
}

/// A refusal (RFC 6749, section 5.2), with what Entra adds to it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refusal {
    /// The `error` of RFC 6749: `invalid_grant`, `interaction_required`, …
    pub error: String,
    /// The number after `AADSTS`.
    pub code: Option<u32>,
    /// The first line of the description, without the code.
    pub description: String,
    /// What support asks for.
    pub correlation_id: Option<String>,
    /// When, in Entra's words.
    pub timestamp: Option<String>,
    /// The claims that the next interactive sign-in must be asked with.
    pub claims: Option<String>,
}

impl Refusal {
    /// Tells whether only a person at a screen can go on from here.
    #[must_use]
    pub fn needs_a_person(&self) -> bool {
        matches!(
            self.error.as_str(),
            "interaction_required" | "invalid_grant" | "login_required" | "consent_required"
        )
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.code {
            Some(code) => write!(f, "Entra refused (AADSTS{code}): {}", self.description),
            None => write!(f, "Entra refused ({}): {}", self.error, self.description),
        }
    }
}
