//! User-facing errors: what failed, why, and how to fix it.
//!
//! Domains and services return errors of their own. Only this module says how to fix them, in one table for each. The
//! agent sends its failures to the caller, so that `proxy` shows what the agent met.

mod azure;
mod certificate;
mod cloud;
mod direct;
mod entra;
mod host;
mod hosts;
mod identity;
mod ids;
mod issue;
mod keyring;
pub(crate) mod last;
mod network;
mod relay;
mod session;
mod ssh_config;

use std::error::Error;
use std::fmt;

use serde::{Deserialize, Serialize};

pub(crate) use self::host::{file_failure, place_failure};
pub(crate) use self::session::{MANAGED_IDENTITY_HINT, login_command};
pub(crate) use self::ssh_config::wrong_login_name;
use crate::host::http::HttpError;
use crate::host::tls;
use crate::line::Line;
use crate::session::Challenge;
use crate::time::UnixTime;

/// The kind of a failure, which decides the exit status.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// An open connection broke: 3.
    Dropped,
    /// Refused or failed: 1.
    Failed,
    /// The user has to sign in, and could not be prompted: 4.
    SignInNeeded,
    /// Invalid command line: 2.
    Usage,
}

/// A failure, as the user reads it. Each text is a single line, whatever its source.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Failure {
    pub kind: FailureKind,
    /// What failed, with the value in question.
    pub error: Line,
    /// The causes, the nearest first.
    pub causes: Vec<Line>,
    /// How to fix it, if possible a command to type.
    pub hint: Option<Line>,
    /// `AADSTS50076`, `AuthorizationFailed`, …
    pub code: Option<Line>,
    /// The ID that Microsoft's support asks for.
    pub correlation_id: Option<Line>,
    /// When Entra refused, which support asks for, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused_at: Option<UnixTime>,
    /// The prompt that a user at a terminal can answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub challenge: Option<Box<Challenge>>,
}

impl Failure {
    /// Returns a failure without a cause.
    #[must_use]
    pub fn new(error: impl Into<Line>) -> Self {
        Self {
            kind: FailureKind::Failed,
            error: error.into(),
            causes: Vec::new(),
            hint: None,
            code: None,
            correlation_id: None,
            refused_at: None,
            challenge: None,
        }
    }

    /// Returns the failure of an error, with its sources as causes.
    #[must_use]
    pub fn of(error: &dyn Error) -> Self {
        let mut failure = Self::new(error.to_string());
        failure.add_causes(error.source());
        failure
    }

    /// Makes `error` the failure, and the one so far its first cause.
    #[must_use]
    pub fn within(mut self, error: impl Into<Line>) -> Self {
        let cause = std::mem::replace(&mut self.error, error.into());
        self.causes.insert(0, cause);
        self
    }

    /// Adds a cause.
    #[must_use]
    pub fn caused_by(mut self, error: &dyn Error) -> Self {
        self.causes.push(error.to_string().into());
        self.add_causes(error.source());
        self
    }

    /// Adds how to fix it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<Line>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Sets the kind.
    #[must_use]
    pub const fn kind(mut self, kind: FailureKind) -> Self {
        self.kind = kind;
        self
    }

    fn add_causes(&mut self, source: Option<&(dyn Error + 'static)>) {
        let mut source = past_the_sdk(source);
        while let Some(cause) = source {
            let text = Line::from(tls::own_finding(cause).unwrap_or_else(|| cause.to_string()));
            // Many errors of libraries repeat the text of their source.
            let told = self.causes.last().unwrap_or(&self.error);
            if !told.contains(text.as_str()) {
                self.causes.push(text);
            }
            source = cause.source();
        }
    }
}

/// Skips the Azure SDK's words around an error of our own HTTPS client.
fn past_the_sdk<'a>(
    source: Option<&'a (dyn Error + 'static)>,
) -> Option<&'a (dyn Error + 'static)> {
    let mut inner = source;
    while let Some(error) = inner {
        if error.is::<HttpError>() {
            return inner;
        }
        inner = error.source();
    }
    source
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_within_another_becomes_its_first_cause() {
        let failure = Failure::new("inner").within("outer");
        assert_eq!(
            (failure.error.as_str(), &failure.causes[..]),
            ("outer", &["inner".into()][..])
        );
    }
}
