//! What to do about the ssh config.

use super::Failure;
use crate::ssh_config::{ManagedConfigError, UnwritableError, UnwritableHostError};

impl From<ManagedConfigError> for Failure {
    fn from(error: ManagedConfigError) -> Self {
        Self::of(&error)
            .hint("fix the line, or delete the file and add the hosts again: entra-ssh config add")
    }
}

impl From<UnwritableError> for Failure {
    fn from(error: UnwritableError) -> Self {
        Self::of(&error).hint("rename the file or folder, or name another one")
    }
}

impl From<UnwritableHostError> for Failure {
    fn from(error: UnwritableHostError) -> Self {
        Self::of(&error).hint(format!(
            "rename the file or folder; to remove a host that exists: entra-ssh config remove {}",
            error.host
        ))
    }
}

/// Returns the failure of a login as another account than the certificate is for, which the machine denies.
#[must_use]
pub(crate) fn wrong_login_name(login_name: &str, certified: &str) -> Failure {
    Failure::new(format!(
        "ssh logs in as `{login_name}`, and the certificate is for `{certified}`"
    ))
    .hint("let managed hosts log in as the signed-in account: entra-ssh config refresh")
}
