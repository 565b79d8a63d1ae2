//! The faults that tests ask for, in short.

use super::{Fault, Injection, Variation, bad_request, interaction_required, yes};
use crate::entra::catalogue;

impl Fault {
    /// Returns a refusal by the token endpoint as Entra words it.
    #[must_use]
    pub fn aadsts(code: u32) -> Self {
        Self::token(code, "", "")
    }

    /// Returns the codes that the sandbox knows Entra's words for.
    #[must_use]
    pub fn worded_codes() -> Vec<u32> {
        catalogue::codes().collect()
    }

    /// Returns a refusal by ARM of every path that contains `path`.
    #[must_use]
    pub fn arm(path: &str, status: u16, code: &str, message: &str) -> Self {
        Self::Arm {
            path: path.to_owned(),
            method: None,
            status,
            code: code.to_owned(),
            message: message.to_owned(),
            retry_after: None,
        }
    }

    /// Returns a challenge of continuous access evaluation by ARM: a token counts once it was asked for with these claims.
    #[must_use]
    pub fn claims_challenge(claims: &str) -> Self {
        Self::ClaimsChallenge {
            claims: claims.to_owned(),
        }
    }

    /// Returns a certificate that is not as it should be, with the usual lifetime.
    #[must_use]
    pub fn certificate(variation: Variation) -> Self {
        Self::Certificate {
            variation,
            lifetime_seconds: None,
        }
    }

    /// Returns a policy that asks everybody for one more sign-in, which satisfies it.
    #[must_use]
    pub fn step_up() -> Self {
        Self::StepUp {
            upn: None,
            satisfiable: yes(),
            error: interaction_required(),
        }
    }

    /// Returns a refusal by the token endpoint, whatever is asked of it.
    #[must_use]
    pub fn token(aadsts: u32, error: &str, description: &str) -> Self {
        Self::Token {
            aadsts,
            error: error.to_owned(),
            description: description.to_owned(),
            claims: None,
            suberror: None,
            status: bad_request(),
            retry_after: None,
            grant_type: None,
            token_type: None,
        }
    }

    /// Makes the fault happen that often; 0 means until faults are cleared.
    #[must_use]
    pub fn times(self, times: u32) -> Injection {
        Injection { times, fault: self }
    }
}
