//! What to do where no certificate is issued.

use super::Failure;
use crate::issue::{IssueError, KeyOwner};

impl From<IssueError> for Failure {
    fn from(error: IssueError) -> Self {
        match error {
            IssueError::Certificate { source, clock } => Self::from(source).with_clock(clock),
            IssueError::Key(error) => error.into(),
            IssueError::KeyKind {
                algorithm,
                owner,
                source,
            } => {
                let hint = match owner {
                    KeyOwner::Profile => "use RSA keys: entra-ssh cert --key-type rsa",
                    KeyOwner::User => "use an RSA key: ssh-keygen -t rsa -b 3072",
                };
                Self::from(source)
                    .within(format!("Entra does not certify `{algorithm}` keys yet"))
                    .hint(hint)
            }
            IssueError::Session(error) => error.into(),
        }
    }
}
