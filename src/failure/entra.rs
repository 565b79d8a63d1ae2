//! What to do about a refusal of Entra.

use super::Failure;
use super::network;
use crate::entra::{AssertionError, EntraError, Refusal, Remedy};
use crate::line::Line;
use crate::time::Spoken;

impl From<EntraError> for Failure {
    fn from(error: EntraError) -> Self {
        if let Some(failure) = network::throttled_failure(&error) {
            return failure;
        }
        let mut failure = Self::of(&error);
        failure.hint = match &error {
            EntraError::DeviceCodeExpired { .. } => Some("start again: entra-ssh login --device-code".into()),
            EntraError::Refused(refusal) => Some(tell_refusal(&mut failure, refusal)),
            EntraError::Assertion(error) => Some(assertion_hint(error)),
            EntraError::Unintelligible { .. } | EntraError::UnsafePage { .. } => {
                Some("check --cloud, and whether a proxy or a captive portal answers in its place".into())
            }
            EntraError::WrongTokenType { .. } => Some(
                "this identity gets no certificates: sign in as a person or a service principal with entra-ssh login"
                    .into(),
            ),
            _ => network::hint(&error),
        };
        failure
    }
}

/// Adds what a refusal says beyond its sentence, and returns what to do.
fn tell_refusal(failure: &mut Failure, refusal: &Refusal) -> Line {
    failure.code = refusal.code.map(|code| format!("AADSTS{code}").into());
    failure.correlation_id.clone_from(&refusal.correlation_id);
    failure.refused_at = refusal.time();
    if let Some(every) = refusal.sign_in_frequency() {
        failure.causes.push(
            format!(
                "the tenant asks people to sign in again every {}",
                Spoken(every)
            )
            .into(),
        );
    } else if let Some(advice) = refusal.advice() {
        failure.causes.push(advice.meaning.into());
    }
    if let Some(presented) = &refusal.presented {
        failure.causes.push(format!(
            "the assertion is from the issuer `{}`, about the subject `{}`, for the audience `{}`",
            presented.issuer, presented.subject, presented.audience
        ).into());
    }
    match refusal.advice().map(|advice| advice.remedy) {
        Some(Remedy::Answer) => "answer it at a terminal: entra-ssh cert".into(),
        Some(Remedy::Do(text)) => text.into(),
        Some(Remedy::SignIn) => "sign in again: entra-ssh login".into(),
        None => {
            "look the code up at https://login.microsoftonline.com/error, or ask an administrator"
                .into()
        }
    }
}

fn assertion_hint(error: &AssertionError) -> Line {
    let hint = match error {
        AssertionError::Certificate(_) => {
            "name a certificate with an RSA key: --client-certificate FILE"
        }
        AssertionError::Empty { .. } | AssertionError::File { .. } => {
            "check AZURE_FEDERATED_TOKEN_FILE or --federated-token-file, and that this user may read the file"
        }
        AssertionError::ManagedIdentity(_) => {
            "enable a managed identity on this machine, or sign in otherwise: entra-ssh login --help"
        }
        AssertionError::Refused { .. } => {
            "sign in again within the job: GitHub needs `permissions: id-token: write`, Azure Pipelines SYSTEM_ACCESSTOKEN"
        }
        _ => return network::hint(error).unwrap_or_else(|| "check the network".into()),
    };
    hint.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_without_a_code_are_known_by_their_text() {
        let broker = "sign in with a browser: entra-ssh login";
        let cloud_shell = "sign in as yourself: entra-ssh login --device-code";
        for (text, meaning, hint) in [
            (
                "parent_window_handle is required to show the account picker.",
                "the sign-in broker of Windows has no window to show itself in",
                broker,
            ),
            (
                "token_type ssh-cert is not supported by this version of Azure Portal",
                "this version of Cloud Shell gives no SSH certificates",
                cloud_shell,
            ),
            (
                "No matched service principal found",
                "a managed identity gets no certificates",
                "let an application trust it, then: entra-ssh login --managed-identity --client-id ID --tenant ID; or sign in \
                 as a person: entra-ssh login",
            ),
            (
                "Could not retrieve token from local cache",
                "a managed identity is not an account that Entra certifies",
                "sign in as a user or a service principal: entra-ssh login --help",
            ),
            (
                "No account or login hint was passed to the AcquireTokenSilent call.",
                "nobody is signed in",
                "sign in again: entra-ssh login",
            ),
        ] {
            let refusal = Refusal {
                error: "invalid_request".into(),
                code: None,
                description: text.into(),
                correlation_id: None,
                timestamp: None,
                claims: None,
                presented: None,
            };
            let failure = Failure::from(EntraError::Refused(Box::new(refusal)));
            assert_eq!(
                failure.error,
                format!("Entra refused (invalid_request): {text}")
            );
            assert_eq!(failure.causes, [meaning]);
            assert_eq!(failure.hint.as_deref(), Some(hint));
        }
    }
}
