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
                    "choose another alias: entra-ssh config add {machine} --alias {other}; or replace that host: --replace"
                )
            }
            HostsError::Check { .. } => "check that ssh works: ssh -V".to_owned(),
            HostsError::Executable(_) | HostsError::File(_) => return Self::of(&error),
            HostsError::ForeignFolder { .. } => {
                "run entra-ssh as that user, without sudo; for root: sudo -H entra-ssh config add NAME".to_owned()
            }
            HostsError::Lock(source) => return place_failure(error.to_string(), source),
            HostsError::Managed { source, .. } => {
                return Self::from(source.clone()).within(error.to_string());
            }
            HostsError::NotManaged { .. } => "list the managed hosts: entra-ssh config list".to_owned(),
            HostsError::Rejected { path, lines } => {
                let hint = format!("fix the line in `{}`", path.display());
                let mut failure = Self::of(&error).hint(hint);
                failure.causes.clone_from(lines);
                return failure;
            }
            HostsError::TooLong { .. } => {
                "remove hosts with entra-ssh config remove HOST, or connect without adding: entra-ssh ssh NAME".to_owned()
            }
            HostsError::Unwritable(host) => return host.clone().into(),
            HostsError::UserConfig { .. } => "replace it with a regular file".to_owned(),
        };
        Self::of(&error).hint(hint)
    }
}
