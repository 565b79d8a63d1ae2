//! What to do about profiles, sign-ins and refusals that a user can meet.

use std::io::ErrorKind;

use super::host::PLACE_HINT;
use super::{Failure, FailureKind};
use crate::cloud::BUILT_IN;
use crate::entra::{Application, ClientCertificateError};
use crate::ids::ProfileName;
use crate::session::{
    ClockSkew, CloudNameError, LockError, ProfileError, ProofError, SessionError, UserAction,
    VariablesError,
};
use crate::time::Spoken;

impl From<SessionError> for Failure {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::Azure(error) => error.into(),
            SessionError::AzureChallenge { source, action } => {
                Self::from(source).with_action(*action)
            }
            SessionError::Cloud(error) => error.into(),
            SessionError::Entra {
                source,
                action,
                clock,
            } => {
                let failure = Self::from(source);
                let failure = match action {
                    Some(action) => failure.with_action(*action),
                    None => failure,
                };
                failure.with_clock(clock)
            }
            SessionError::Http(error) => error.into(),
            SessionError::Keyring(error) => error.into(),
            SessionError::Lock(error) => error.into(),
            SessionError::Profile(error) => error.into(),
            SessionError::SignedOut {
                backend,
                ref profile,
                ..
            } => {
                let hint = format!("sign in: {}", login_command(profile));
                let mut failure = Self::of(&error);
                if let Some(when) = backend.forgets() {
                    failure
                        .causes
                        .push(format!("{backend} forgets {when}").into());
                }
                failure.kind(FailureKind::SignInNeeded).hint(hint)
            }
        }
    }
}

impl Failure {
    /// Makes of a refusal what the user has to do.
    fn with_action(mut self, action: UserAction) -> Self {
        self.kind = FailureKind::SignInNeeded;
        match action {
            UserAction::Answer {
                profile,
                challenge,
                is_guest,
            } => {
                // A new sign-in is one to Azure Resource Manager, and meets what its policies ask for.
                let command = match challenge.application {
                    Application::ResourceManager => login_command(&profile),
                    Application::Ssh if is_guest => {
                        command(&profile, &format!("cert --tenant {}", challenge.tenant))
                    }
                    Application::Ssh => command(&profile, "cert"),
                };
                self.challenge = Some(Box::new(challenge));
                self.hint(format!("answer it at a terminal: {command}"))
            }
            UserAction::SignIn { profile } => {
                self.hint(format!("sign in again: {}", login_command(&profile)))
            }
        }
    }

    /// Says that this machine's clock is wrong, if it is.
    pub(super) fn with_clock(mut self, clock: Option<ClockSkew>) -> Self {
        let Some(ClockSkew {
            is_ahead,
            by,
            entra,
        }) = clock
        else {
            return self;
        };
        let side = if is_ahead { "ahead of" } else { "behind" };
        let cause = format!(
            "this machine's clock is {} {side} Entra's, which says {entra}",
            Spoken(by)
        );
        self.causes.push(cause.into());
        self.hint("set this machine's clock: sudo timedatectl set-ntp true")
    }
}

impl From<CloudNameError> for Failure {
    fn from(error: CloudNameError) -> Self {
        let clouds = || format!("use one of {}, or a cloud file", BUILT_IN.join(", "));
        match error {
            CloudNameError::Invalid { path, source } => {
                Self::from(source).within(format!("cannot use the cloud file `{}`", path.display()))
            }
            CloudNameError::Path(error) => error.into(),
            CloudNameError::Read { .. } => Self::of(&error),
            CloudNameError::Unknown { .. } => Self::of(&error).hint(clouds()),
            CloudNameError::UnknownArgument { .. } => {
                Self::of(&error).kind(FailureKind::Usage).hint(clouds())
            }
        }
    }
}

impl From<ProfileError> for Failure {
    fn from(error: ProfileError) -> Self {
        let failure = Self::of(&error);
        match &error {
            ProfileError::Malformed { name, .. } => {
                failure.hint(format!("sign in: {}", login_command(name)))
            }
            ProfileError::NotFound { name } => failure
                .kind(FailureKind::SignInNeeded)
                .hint(format!("sign in: {}", login_command(name))),
            ProfileError::Write { .. } => failure.hint(
                "set HOME, or XDG_CONFIG_HOME, to a folder that you can write to: export HOME=/tmp/home-$(id -u)",
            ),
            ProfileError::Folder { .. } | ProfileError::Read { .. } | ProfileError::Remove { .. } => failure,
        }
    }
}

/// How to acquire a certificate with a managed identity.
pub(crate) const MANAGED_IDENTITY_HINT: &str = "let an application trust it as a federated credential (az ad app \
    federated-credential create --id APP), then: entra-ssh login --managed-identity --client-id APP --tenant ID";

impl From<ProofError> for Failure {
    fn from(error: ProofError) -> Self {
        let failure = Self::of(&error);
        match error {
            ProofError::Certificate {
                source: ClientCertificateError::OnlyDer { .. },
                ..
            } => failure.hint(
                "put both into one file: openssl pkcs12 -export -in CERTIFICATE -inkey KEY -out app.pfx",
            ),
            ProofError::Certificate { .. } => failure.hint(
                "name a PEM file with certificate and key, or a PKCS#12 file and its password: --client-certificate FILE \
                 --client-certificate-password-file FILE",
            ),
            ProofError::CertificateFile { .. } | ProofError::TokenFile { .. } => failure,
            ProofError::CloudShell => {
                failure.hint("sign in as yourself: entra-ssh login --device-code")
            }
            ProofError::ManagedIdentityAlone => {
                failure.kind(FailureKind::Usage).hint(MANAGED_IDENTITY_HINT)
            }
            ProofError::NoServiceConnection => failure
                .kind(FailureKind::Usage)
                .hint("name it: entra-ssh login --azure-pipelines --service-connection-id ID"),
            ProofError::NotAzurePipelines => failure.kind(FailureKind::Usage).hint(
                "hand the step the job's token: env: SYSTEM_ACCESSTOKEN: $(System.AccessToken)",
            ),
            ProofError::NotGithubActions => failure
                .kind(FailureKind::Usage)
                .hint("give the job the right to: permissions: id-token: write"),
            ProofError::NotHttps { .. } => failure.hint("let the pipeline set it"),
            ProofError::Path(error) => error.into(),
        }
    }
}

impl From<VariablesError> for Failure {
    fn from(error: VariablesError) -> Self {
        let failure = Self::of(&error);
        match error {
            VariablesError::AuthorityCredentials => {
                failure.hint("set it to an address such as https://login.microsoftonline.us")
            }
            VariablesError::AuthorityUnknown { .. } => {
                failure.hint("describe it in a cloud file and name that with --cloud FILE")
            }
            VariablesError::Id(error) => error.into(),
            VariablesError::Proof(error) => error.into(),
        }
    }
}

impl From<LockError> for Failure {
    fn from(error: LockError) -> Self {
        let failure = Self::of(&error);
        match &error {
            LockError::Profile { owner, source } if source.kind() == ErrorKind::TimedOut => failure
                .hint(match owner {
                    Some(process) => {
                        format!("see what it does, and end it if it hangs: kill {process}")
                    }
                    None => "see which entra-ssh hangs: ps -C entra-ssh".to_owned(),
                }),
            LockError::SharedEntries { source } if source.kind() == ErrorKind::TimedOut => failure,
            LockError::Profile { .. } | LockError::SharedEntries { .. } => failure.hint(PLACE_HINT),
        }
    }
}

/// Returns the command that signs a profile in.
#[must_use]
pub(crate) fn login_command(name: &ProfileName) -> String {
    command(name, "login")
}

/// Returns a command of ours for a profile.
#[must_use]
pub(crate) fn command(name: &ProfileName, rest: &str) -> String {
    if *name == ProfileName::default() {
        format!("entra-ssh {rest}")
    } else {
        format!("entra-ssh --profile {name} {rest}")
    }
}
