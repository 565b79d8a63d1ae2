//! What is told when something could not be done: the problem, what caused it, and what to do.
//!
//! The domains below say what happened; what to do about it is said here and nowhere else, in one table a domain. The agent
//! sends a failure to whoever asked, so that a proxy tells what the agent met.

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

/// What kind of failure it is; it decides the exit status.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// A connection that was open broke: 3.
    Dropped,
    /// It was refused or did not work: 1.
    Failed,
    /// Somebody has to sign in, and nobody could be asked: 4.
    SignInNeeded,
    /// The command line does not make sense: 2.
    Usage,
}

/// A failure, as it is told. Each of its texts is one line, whatever it was made of.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Failure {
    pub kind: FailureKind,
    /// The problem in one sentence, with the value in question.
    pub error: Line,
    /// What caused it, the nearest first.
    pub causes: Vec<Line>,
    /// What to do, if possible something to type.
    pub hint: Option<Line>,
    /// `AADSTS50076`, `AuthorizationFailed`, …
    pub code: Option<Line>,
    /// What Microsoft's support asks for.
    pub correlation_id: Option<Line>,
    /// When Entra refused; support asks for this too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused_at: Option<UnixTime>,
    /// What a person at a terminal is to be asked.
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

    /// Returns a failure with the causes of an error.
    #[must_use]
    pub fn of(error: &dyn Error) -> Self {
        let mut failure = Self::new(error.to_string());
        failure.add_causes(error.source());
        failure
    }

    /// Puts `error` before what was said so far, which becomes its cause.
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

    /// Adds what to do.
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

/// Returns what our own client said, if the Azure SDK has wrapped it in words of its own.
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
