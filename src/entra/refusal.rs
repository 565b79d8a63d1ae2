//! A refusal of Entra, and what the user can do about it.

use std::fmt;

use super::aadsts::{Aadsts, Meaning};
use super::service_principal::Presented;
use crate::line::Line;
use crate::time::UnixTime;

/// A refusal (RFC 6749, section 5.2), with what Entra adds to it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refusal {
    /// The `error` of RFC 6749: `invalid_grant`, `interaction_required`, …
    pub error: Line,
    /// Entra's own code.
    pub code: Option<Aadsts>,
    /// What it means, if known.
    pub meaning: Option<Meaning>,
    /// The first line of the description, without the code.
    pub description: Line,
    /// The ID that Microsoft's support asks for.
    pub correlation_id: Option<Line>,
    /// When, as Entra writes it.
    pub timestamp: Option<String>,
    /// The claims to request in the next interactive sign-in, in JSON.
    pub claims: Option<String>,
    /// The claims of the client assertion that Entra refused.
    pub presented: Option<Presented>,
}

/// What a user can do about a refusal.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Remedy {
    /// Answer the tenant's prompt at a terminal, in one more round.
    Answer,
    /// Sign in again from the start.
    SignIn,
}

impl Refusal {
    /// Reads what RFC 6749, sections 4.1.2.1 and 5.2, have in common; `code` is from elsewhere in the reply, and counts before
    /// one in the description.
    pub(super) fn new(error: impl Into<Line>, code: Option<u32>, description: &str) -> Self {
        let error = error.into();
        let (described, sentence) = split_description(description);
        let code = code.or(described).map(Aadsts);
        Self {
            code,
            meaning: Meaning::of(code, sentence),
            description: if sentence.is_empty() {
                error.clone()
            } else {
                sentence.into()
            },
            error,
            correlation_id: None,
            timestamp: None,
            claims: None,
            presented: None,
        }
    }

    /// Returns when Entra refused, if the reply has a timestamp of the known form.
    #[must_use]
    pub fn time(&self) -> Option<UnixTime> {
        let (day, time) = self.timestamp.as_deref()?.split_once(' ')?;
        UnixTime::from_rfc3339(&format!("{day}T{time}"))
    }

    /// Returns what the user can do about it at a terminal; `None` if nothing there helps.
    #[must_use]
    pub fn remedy(&self) -> Option<Remedy> {
        match self.meaning {
            Some(Meaning::ExternalCheck | Meaning::MultiFactor) => Some(Remedy::Answer),
            Some(
                Meaning::NotSignedIn
                | Meaning::SessionRevoked
                | Meaning::SignInTooOld { .. }
                | Meaning::SignInUnused,
            ) => Some(Remedy::SignIn),
            Some(_) => None,
            None => self.remedy_of_protocol(),
        }
    }

    /// Returns the remedy by the error words of RFC 6749 and `OpenID` Connect only.
    fn remedy_of_protocol(&self) -> Option<Remedy> {
        match self.error.as_str() {
            "interaction_required" => Some(Remedy::Answer),
            _ if self.claims.is_some() => Some(Remedy::Answer),
            "consent_required" | "invalid_grant" | "login_required" => Some(Remedy::SignIn),
            _ => None,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            Some(code) => write!(f, "Entra refused ({code}): {}", self.description),
            None => write!(f, "Entra refused ({}): {}", self.error, self.description),
        }
    }
}

/// Splits `AADSTS50076: Due to … Trace ID: …` into the code and the sentence.
fn split_description(description: &str) -> (Option<u32>, &str) {
    let line = description.lines().next().unwrap_or_default();
    let line = line.split(" Trace ID:").next().unwrap_or_default().trim();
    let Some((code, rest)) = line
        .strip_prefix("AADSTS")
        .and_then(|rest| rest.split_once(':'))
    else {
        return (None, line);
    };
    match code.parse() {
        Ok(code) => (Some(code), rest.trim()),
        Err(_) => (None, line),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_meaning_here_is_judged_by_the_protocols_own_words() {
        let remedy = |error: &str, code, claims: Option<&str>| {
            let mut refusal = Refusal::new(error, code, "x");
            refusal.claims = claims.map(str::to_owned);
            refusal.remedy()
        };
        assert_eq!(remedy("invalid_grant", Some(1), None), Some(Remedy::SignIn));
        assert_eq!(
            remedy("interaction_required", None, None),
            Some(Remedy::Answer)
        );
        assert_eq!(
            remedy("invalid_grant", None, Some("{}")),
            Some(Remedy::Answer)
        );
        assert_eq!(remedy("invalid_client", None, None), None);
        // What is known counts before it.
        assert_eq!(remedy("invalid_grant", Some(53_003), Some("{}")), None);
        assert_eq!(
            remedy("interaction_required", Some(70_043), None),
            Some(Remedy::SignIn)
        );
    }
}
