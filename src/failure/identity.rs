//! What to do about keys and certificates that are kept outside our own agent.

use super::{Failure, FailureKind};
use crate::identity::IdentityError;

impl From<IdentityError> for Failure {
    fn from(error: IdentityError) -> Self {
        let hint = match error {
            IdentityError::AgentForeign { .. } => {
                "run entra-ssh without sudo, or unset SSH_AUTH_SOCK".to_owned()
            }
            IdentityError::AgentRefused { .. } => {
                "use the agent of entra-ssh: entra-ssh config add NAME --identity agent".to_owned()
            }
            IdentityError::AgentUnavailable { .. } => {
                "start one: eval $(ssh-agent); or use the agent of entra-ssh: entra-ssh config add NAME --identity agent".to_owned()
            }
            IdentityError::File(error) => return Self::of(&error),
            IdentityError::Issue(error) => return (*error).into(),
            IdentityError::Key(error) => return error.into(),
            IdentityError::NoAgent => "start one: eval $(ssh-agent)".to_owned(),
            IdentityError::NoCertificate => "acquire one: entra-ssh cert".to_owned(),
            IdentityError::PrivateKey { ref path } => {
                let hint = format!("name the public key file: {}.pub", path.display());
                return Self::of(&error).kind(FailureKind::Usage).hint(hint);
            }
            IdentityError::PublicKey { path, source } => {
                return Self::from(source).within(format!("cannot use `{}`", path.display()));
            }
        };
        Self::of(&error).hint(hint)
    }
}
