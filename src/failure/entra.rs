//! What to do about a refusal of Entra.

use super::Failure;
use super::network;
use crate::entra::{AssertionError, EntraError, Meaning, Refusal};
use crate::line::Line;

impl From<EntraError> for Failure {
    fn from(error: EntraError) -> Self {
        if let Some(failure) = network::throttled_failure(&error) {
            return failure;
        }
        let mut failure = Self::of(&error);
        failure.hint = match &error {
            EntraError::DeviceCodeExpired { .. } => Some("start again: entra-ssh login --device-code".into()),
            EntraError::Refused(refusal) => Some(add_refusal(&mut failure, refusal)),
            EntraError::Assertion(error) => Some(assertion_hint(error)),
            EntraError::Unintelligible { .. } | EntraError::UnsafePage { .. } => {
                Some("check --cloud, and whether a proxy or a captive portal answers in its place".into())
            }
            EntraError::WrongTokenType { .. } => Some(
                "Entra issues no certificates to this identity: sign in as a user or a service principal with entra-ssh login"
                    .into(),
            ),
            _ => network::hint(&error),
        };
        failure
    }
}

/// Adds the code, the meaning and the time of a refusal, and returns what to do.
fn add_refusal(failure: &mut Failure, refusal: &Refusal) -> Line {
    failure.code = refusal.code.map(|code| code.to_string().into());
    failure.correlation_id.clone_from(&refusal.correlation_id);
    failure.refused_at = refusal.time();
    if let Some(meaning) = refusal.meaning {
        failure.causes.push(meaning.to_string().into());
    }
    if let Some(presented) = &refusal.presented {
        failure.causes.push(format!(
            "the assertion is from the issuer `{}`, about the subject `{}`, for the audience `{}`",
            presented.issuer, presented.subject, presented.audience
        ).into());
    }
    refusal_hint(refusal.meaning).into()
}

#[expect(clippy::too_many_lines, reason = "it is a table")]
const fn refusal_hint(meaning: Option<Meaning>) -> &'static str {
    let Some(meaning) = meaning else {
        return "look the code up at https://login.microsoftonline.com/error, or ask an administrator";
    };
    match meaning {
        Meaning::AccountBlocked | Meaning::ApplicationNotAllowed => {
            "ask an administrator of the tenant"
        }
        Meaning::AccountNotAssigned => "ask an administrator to assign it",
        Meaning::AccountNotInTenant => {
            "sign in with another account, or name the right tenant: entra-ssh login --tenant ID"
        }
        Meaning::ApplicationDisabled => "ask an administrator to enable it",
        Meaning::ApplicationMissing => {
            "check --tenant and --cloud, or ask an administrator to run: az ad sp create --id ce6ff14a-7fdc-4685-bbe0-f6afdfcfa8e0"
        }
        Meaning::AssertionExpired => {
            "sign in again within the job; GitHub's assertions expire after five minutes"
        }
        Meaning::BetweenTenants => "ask an administrator of your network or of either tenant",
        Meaning::BlockedByPolicy => {
            "policies often block device codes: sign in with a browser (entra-ssh login), or ask an administrator which policy it is"
        }
        Meaning::BrokerWithoutWindow => "sign in with a browser: entra-ssh login",
        Meaning::ClientNotAllowed => {
            "use the Azure CLI's client ID, 04b07795-8ddb-461a-bbee-02f9e1bf7b46"
        }
        Meaning::ClientSecretExpired => "create a new one: az ad app credential reset --id ID",
        Meaning::ClientSecretWrong => {
            "check that it is the secret's value and not its ID, then run: entra-ssh login --service-principal --client-id ID --tenant ID --client-secret-file FILE"
        }
        Meaning::CloudShellTooOld => "sign in as yourself: entra-ssh login --device-code",
        Meaning::ConsentMissing => {
            "ask an administrator to consent to the application `Azure Linux VM Sign-In`"
        }
        Meaning::DeviceCodeInvalid => "start again: entra-ssh login --device-code",
        Meaning::DeviceCodePending => "enter it, and wait",
        Meaning::ExternalCheck | Meaning::MultiFactor => "answer it at a terminal: entra-ssh cert",
        Meaning::KeyTooShort => "create a key of 3072 bits: ssh-keygen -t rsa -b 3072",
        Meaning::ManagedDevice => {
            "sign in on a managed Windows or macOS computer; Linux and Cloud Shell cannot meet this policy"
        }
        Meaning::ManagedIdentity => {
            "let an application trust it, then run: entra-ssh login --managed-identity --client-id ID --tenant ID; or sign in as a user: entra-ssh login"
        }
        Meaning::ManagedIdentityAccount => {
            "sign in as a user or a service principal: entra-ssh login --help"
        }
        Meaning::NoFederatedCredential => {
            "compare the three with: az ad app federated-credential list --id ID"
        }
        Meaning::NotSignedIn
        | Meaning::SessionRevoked
        | Meaning::SignInTooOld { .. }
        | Meaning::SignInUnused => "sign in again: entra-ssh login",
        Meaning::OtherCloud => {
            "name the cloud: --cloud AzureUSGovernment or --cloud AzureChinaCloud"
        }
        Meaning::RequestLoop => {
            "stop what runs entra-ssh again and again (a loop, a timer, a health check), and wait five minutes"
        }
        Meaning::RequestMalformed | Meaning::ScopeInvalid => "check ssh_scope in the cloud file",
        Meaning::SystemNotAllowed => {
            "sign in on another operating system, or ask an administrator of the tenant"
        }
        Meaning::TemporaryFault => "try again in a minute",
        Meaning::TenantUnknown => "check --tenant and --cloud",
        Meaning::Throttled => "wait a few minutes",
        Meaning::UnknownClient => "check --client-id and --tenant",
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
    use crate::entra::Aadsts;

    #[test]
    fn a_refusal_tells_its_code_what_it_means_and_what_to_do() {
        let refusal = Refusal {
            error: "invalid_client".into(),
            code: Some(Aadsts(7_000_222)),
            meaning: Some(Meaning::ClientSecretExpired),
            description: "The provided client secret keys are expired.".into(),
            correlation_id: Some("1-2".into()),
            timestamp: None,
            claims: None,
            presented: None,
        };
        let failure = Failure::from(EntraError::Refused(Box::new(refusal)));
        assert_eq!(
            failure.error,
            "Entra refused (AADSTS7000222): The provided client secret keys are expired."
        );
        assert_eq!(failure.causes, ["the client secret has expired"]);
        assert_eq!(failure.code.as_deref(), Some("AADSTS7000222"));
        assert_eq!(failure.correlation_id.as_deref(), Some("1-2"));
        assert_eq!(
            failure.hint.as_deref(),
            Some("create a new one: az ad app credential reset --id ID")
        );
    }
}
