use std::time::Duration;

use super::aadsts::advice;
use super::{Advice, AssertionError, Presented, Remedy};
use crate::host::http::HttpError;
use crate::line::Line;
use crate::time::UnixTime;

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

/// A refusal (RFC 6749, section 5.2), with what Entra adds to it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refusal {
    /// The `error` of RFC 6749: `invalid_grant`, `interaction_required`, …
    pub error: Line,
    /// The number after `AADSTS`.
    pub code: Option<u32>,
    /// The first line of the description, without the code.
    pub description: Line,
    /// What support asks for.
    pub correlation_id: Option<Line>,
    /// When, in Entra's words.
    pub timestamp: Option<String>,
    /// The claims that the next interactive sign-in must be asked with.
    pub claims: Option<String>,
    /// What the client assertion that was refused said about itself.
    pub presented: Option<Presented>,
}

impl Refusal {
    /// Returns what is known about it.
    #[must_use]
    pub fn advice(&self) -> Option<Advice> {
        advice(self)
    }

    /// Returns when it was, if it says so in a form that is known.
    #[must_use]
    pub fn time(&self) -> Option<UnixTime> {
        let (day, time) = self.timestamp.as_deref()?.split_once(' ')?;
        UnixTime::from_rfc3339(&format!("{day}T{time}"))
    }

    /// Returns how often a policy asks people to sign in, if that is what the refusal is about and it says so:
    /// `… the maximum allowed lifetime for this request is 3600.`
    #[must_use]
    pub fn sign_in_frequency(&self) -> Option<Duration> {
        let (_, rest) = self
            .description
            .split_once("maximum allowed lifetime for this request is ")?;
        let end = rest
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(rest.len());
        rest.get(..end)?.parse().ok().map(Duration::from_secs)
    }

    /// Returns what a person can do about it at a terminal: answer, or sign in again. `None` if neither helps.
    #[must_use]
    pub fn persons_remedy(&self) -> Option<Remedy> {
        if let Some(Advice { remedy, .. }) = self.advice() {
            return Some(remedy).filter(|remedy| !matches!(remedy, Remedy::Do(_)));
        }
        match self.error.as_str() {
            "interaction_required" => Some(Remedy::Answer),
            _ if self.claims.is_some() => Some(Remedy::Answer),
            "consent_required" | "invalid_grant" | "login_required" => Some(Remedy::SignIn),
            _ => None,
        }
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
