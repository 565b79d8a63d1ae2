use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::azure::AzureError;
use crate::cloud::CloudError;
use crate::entra::{ClientCertificateError, EntraError, Meaning};
use crate::host::http::HttpError;
use crate::host::paths::PathsError;
use crate::ids::{Account, ParseIdError, ProfileName};
use crate::keyring::{Backend, KeyringError};
use crate::session::challenge::Challenge;
use crate::time::UnixTime;

/// Why a session could not be opened or used.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// Azure Resource Manager refused or did not answer.
    #[error(transparent)]
    Azure(#[from] AzureError),
    /// Azure Resource Manager refuses every token that this sign-in acquires, and a new sign-in may help.
    #[error("Azure Resource Manager accepts no token of this sign-in")]
    AzureChallenge {
        source: AzureError,
        action: Box<UserAction>,
    },
    /// The profile's cloud cannot be used.
    #[error(transparent)]
    Cloud(#[from] CloudNameError),
    /// Entra gave nothing.
    #[error("Entra issued nothing for this sign-in")]
    Entra {
        source: EntraError,
        /// What the user can do about it, if anything.
        action: Option<Box<UserAction>>,
        /// What may be the cause.
        clock: Option<ClockSkew>,
    },
    /// The HTTPS client cannot be set up.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The keyring cannot be used.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// A lock could not be taken.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The profile cannot be used.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// The keyring holds no sign-in.
    #[error("{backend} holds no sign-in for `{account}` (profile `{profile}`)")]
    SignedOut {
        account: Account,
        backend: Backend,
        profile: ProfileName,
    },
}

/// What the user has to do before a session can go on.
#[derive(Clone, Debug)]
pub enum UserAction {
    /// Meet what a policy asks for, in one more round at a terminal.
    Answer {
        profile: ProfileName,
        challenge: Challenge,
        /// Whether the tenant is another one than the one that the profile is signed in to.
        is_guest: bool,
    },
    /// Sign in from the start.
    SignIn { profile: ProfileName },
}

/// How far this machine's clock is from Entra's, if that is more than certificates and assertions are allowed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ClockSkew {
    pub(crate) is_ahead: bool,
    pub(crate) by: Duration,
    /// What Entra's clock says.
    pub(crate) entra: UnixTime,
}

impl ClockSkew {
    /// How far the clocks may be apart: certificates and assertions are allowed five minutes.
    const TOLERANCE: Duration = Duration::from_secs(300);

    /// Compares this machine's clock with Entra's; `None` if they are close enough.
    pub(crate) fn between(now: UnixTime, entra: UnixTime) -> Option<Self> {
        let (ahead, behind) = (now.since(entra), entra.since(now));
        let by = ahead.max(behind);
        (by > Self::TOLERANCE).then_some(Self {
            is_ahead: ahead > behind,
            by,
            entra,
        })
    }
}

/// When to make the next request after one that failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Retry {
    /// Entra takes the requests for a loop: each further one prolongs its refusal.
    AfterLoop,
    /// Once the user has done something.
    AfterUser,
    /// After a pause that grows with each failure.
    Later,
    /// At once: Entra says itself that it will pass.
    Now,
}

impl SessionError {
    /// Returns when it makes sense to try again. A request that got no reply was repeated already, where requests are sent.
    pub(crate) const fn retry(&self) -> Retry {
        match self {
            Self::Entra {
                source: EntraError::Refused(refusal),
                ..
            } if matches!(refusal.meaning, Some(Meaning::RequestLoop)) => Retry::AfterLoop,
            Self::Entra {
                source: EntraError::Refused(refusal),
                ..
            } if matches!(refusal.meaning, Some(Meaning::TemporaryFault)) => Retry::Now,
            Self::AzureChallenge { .. }
            | Self::Entra {
                action: Some(_), ..
            }
            | Self::Profile(ProfileError::NotFound { .. })
            | Self::SignedOut { .. } => Retry::AfterUser,
            _ => Retry::Later,
        }
    }
}

/// Why a cloud cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CloudNameError {
    /// The cloud file describes no cloud.
    #[error("cannot use the cloud file `{}`", path.display())]
    Invalid { path: PathBuf, source: CloudError },
    /// The path of the cloud file cannot be used.
    #[error(transparent)]
    Path(#[from] PathsError),
    /// The cloud file cannot be read.
    #[error("cannot read the cloud file `{}`", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// A profile names a cloud that is not built in.
    #[error("unknown cloud `{name}`")]
    Unknown { name: String },
    /// `--cloud` names neither a cloud nor a file.
    #[error("unknown cloud `{text}`: neither built in nor a file")]
    UnknownArgument { text: String },
}

/// Why a profile cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// The folder of profiles cannot be read.
    #[error("cannot read the folder `{}`", path.display())]
    Folder { path: PathBuf, source: io::Error },
    /// It is not in the form that this program writes.
    #[error("the profile `{}` cannot be read", path.display())]
    Malformed {
        name: ProfileName,
        path: PathBuf,
        source: serde_json::Error,
    },
    /// It is not signed in.
    #[error("profile `{name}` is not signed in")]
    NotFound { name: ProfileName },
    /// Its file cannot be read.
    #[error("cannot read the profile `{}`", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// Its file cannot be removed.
    #[error("cannot remove the profile `{}`", path.display())]
    Remove { path: PathBuf, source: io::Error },
    /// Its file cannot be written.
    #[error("cannot write the profile `{}`", path.display())]
    Write { path: PathBuf, source: io::Error },
}

/// Why there is no proof to sign in with.
#[derive(Debug, thiserror::Error)]
pub enum ProofError {
    /// The file holds no usable certificate.
    #[error("cannot use the client certificate in `{}`", path.display())]
    Certificate {
        path: PathBuf,
        source: ClientCertificateError,
    },
    /// The file of the certificate cannot be read.
    #[error("cannot read the client certificate from `{}`", path.display())]
    CertificateFile { path: PathBuf, source: io::Error },
    /// Cloud Shell is signed in as the user.
    #[error("Cloud Shell has no managed identity")]
    CloudShell,
    /// No application trusts the managed identity.
    #[error("Entra issues no certificates to managed identities")]
    ManagedIdentityAlone,
    /// Neither an option nor a variable names the service connection of Azure Pipelines.
    #[error("missing service connection of Azure Pipelines")]
    NoServiceConnection,
    /// This process has no access token of Azure Pipelines.
    #[error("not an Azure Pipelines job with an access token")]
    NotAzurePipelines,
    /// This process has no token to request ID tokens of GitHub with.
    #[error("not a GitHub Actions job that may request an ID token")]
    NotGithubActions,
    /// A pipeline's variable does not hold the address that it should.
    #[error("`{variable}` is not an https address")]
    NotHttps { variable: &'static str },
    /// The path of a token file cannot be used.
    #[error(transparent)]
    Path(#[from] PathsError),
    /// The path of a token file cannot be made absolute.
    #[error("cannot use the path `{}`", path.display())]
    TokenFile { path: PathBuf, source: io::Error },
}

/// Why the variables of a pipeline name no account.
#[derive(Debug, thiserror::Error)]
pub enum VariablesError {
    /// The authority holds a user name or password.
    #[error("`AZURE_AUTHORITY_HOST` must not hold a user name or password")]
    AuthorityCredentials,
    /// The authority is that of no built-in cloud.
    #[error("`AZURE_AUTHORITY_HOST` names `{host}`, which is not a built-in cloud")]
    AuthorityUnknown { host: String },
    /// An ID is not one.
    #[error(transparent)]
    Id(#[from] ParseIdError),
    /// They do not prove who the application is.
    #[error(transparent)]
    Proof(#[from] ProofError),
}

/// Why a lock between processes could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// The lock of a profile.
    #[error("cannot take the lock for issuing a certificate")]
    Profile {
        /// The process that has it.
        owner: Option<u32>,
        source: io::Error,
    },
    /// The lock of the entries that profiles share.
    #[error("cannot take the lock for the entries of the keyring")]
    SharedEntries { source: io::Error },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entra::Refusal;

    fn at(seconds: u64) -> UnixTime {
        UnixTime::from_seconds(1_000_000 + seconds)
    }

    fn refused(meaning: Meaning, action: Option<UserAction>) -> SessionError {
        let refusal = Refusal {
            error: "invalid_grant".into(),
            code: None,
            meaning: Some(meaning),
            description: "refused".into(),
            correlation_id: None,
            timestamp: None,
            claims: None,
            presented: None,
        };
        SessionError::Entra {
            source: EntraError::Refused(Box::new(refusal)),
            action: action.map(Box::new),
            clock: None,
        }
    }

    #[test]
    fn the_meaning_of_a_refusal_decides_when_to_try_again() {
        let user = UserAction::SignIn {
            profile: ProfileName::default(),
        };
        for (meaning, retry) in [
            (Meaning::TemporaryFault, Retry::Now),
            (Meaning::RequestLoop, Retry::AfterLoop),
            (Meaning::ClientSecretWrong, Retry::Later),
        ] {
            assert_eq!(refused(meaning, None).retry(), retry, "{meaning}");
        }
        let error = refused(Meaning::SessionRevoked, Some(user));
        assert_eq!(error.retry(), Retry::AfterUser);
    }

    #[test]
    fn what_was_repeated_where_requests_are_sent_is_not_repeated_at_once() {
        let source = EntraError::Unintelligible {
            host: "login.example".to_owned(),
            status: 503,
        };
        let error = SessionError::Entra {
            source,
            action: None,
            clock: None,
        };
        assert_eq!(error.retry(), Retry::Later);
    }

    #[test]
    fn clocks_may_be_five_minutes_apart() {
        assert_eq!(ClockSkew::between(at(300), at(0)), None);
        assert_eq!(ClockSkew::between(at(0), at(300)), None);
        let ahead = ClockSkew::between(at(301), at(0)).unwrap();
        assert!(ahead.is_ahead);
        assert_eq!(ahead.by, Duration::from_secs(301));
        assert!(!ClockSkew::between(at(0), at(301)).unwrap().is_ahead);
    }
}
