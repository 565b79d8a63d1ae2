//! What to do about the managed hosts.

use super::{Failure, place_failure};
use crate::hosts::HostsError;

impl From<HostsError> for Failure {
    fn from(error: HostsError) -> Self {
        let hint = match &error {
            HostsError::AliasTaken {
                machine,
                suggestion,
                ..
            } => {
                let other = suggestion.as_ref().map_or("NAME", |other| other.as_str());
                format!(
                    "choose another alias: entra-ssh config add {machine} --alias {other}; or let it replace that machine: --replace"
                )
            }
            HostsError::Check { .. } => "see whether it works by itself: ssh -V".to_owned(),
            HostsError::Executable(_) | HostsError::File(_) => return Self::of(&error),
            HostsError::ForeignFolder { .. } => {
                "run it as that user, without sudo; for root: sudo -H entra-ssh config add NAME".to_owned()
            }
            HostsError::Lock(source) => return place_failure(error.to_string(), source),
            HostsError::Managed { source, .. } => {
                return Self::from(source.clone()).within(error.to_string());
            }
            HostsError::NotManaged { .. } => "list the managed hosts: entra-ssh config list".to_owned(),
            HostsError::Rejected { path, lines } => {
                let hint = format!("mend the line in `{}`", path.display());
                let mut failure = Self::of(&error).hint(hint);
                failure.causes.clone_from(lines);
                return failure;
            }
            HostsError::TooLong { .. } => {
                "remove hosts with entra-ssh config remove HOST, or connect without adding: entra-ssh ssh NAME".to_owned()
            }
            HostsError::Unwritable(host) => return host.clone().into(),
            HostsError::UserConfig { .. } => "put a regular file there".to_owned(),
        };
        Self::of(&error).hint(hint)
    }
}
