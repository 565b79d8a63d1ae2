use std::fmt;

use serde::{Deserialize, Serialize};

/// Whether a VM runs, as its instance view has it: `PowerState/running`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PowerState {
    /// Stopped, without hardware.
    Deallocated,
    Deallocating,
    Running,
    Starting,
    /// Shut down, but still on its hardware.
    Stopped,
    Stopping,
    /// Azure did not name the state, or named an unknown one.
    Unknown,
}

impl PowerState {
    /// Returns whether the VM has to be started before anyone can connect.
    #[must_use]
    pub const fn is_off(self) -> bool {
        matches!(
            self,
            Self::Deallocated | Self::Deallocating | Self::Stopped | Self::Stopping
        )
    }

    pub(super) fn from_code(code: &str) -> Option<Self> {
        let (kind, state) = code.split_once('/')?;
        kind.eq_ignore_ascii_case("PowerState")
            .then(|| match state.to_ascii_lowercase().as_str() {
                "deallocated" => Self::Deallocated,
                "deallocating" => Self::Deallocating,
                "running" => Self::Running,
                "starting" => Self::Starting,
                "stopped" => Self::Stopped,
                "stopping" => Self::Stopping,
                _ => Self::Unknown,
            })
    }
}

impl fmt::Display for PowerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Deallocated => "deallocated",
            Self::Deallocating => "being deallocated",
            Self::Running => "running",
            Self::Starting => "starting",
            Self::Stopped => "stopped",
            Self::Stopping => "being stopped",
            Self::Unknown => "in a state that Azure does not tell",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vm_that_is_off_is_told_from_one_in_a_state_that_is_not_known() {
        let state = |code: &str| PowerState::from_code(code);
        assert_eq!(state("PowerState/running"), Some(PowerState::Running));
        for (code, expected) in [
            ("PowerState/deallocated", PowerState::Deallocated),
            ("PowerState/Deallocating", PowerState::Deallocating),
            ("powerstate/stopped", PowerState::Stopped),
            ("PowerState/stopping", PowerState::Stopping),
        ] {
            assert_eq!(state(code), Some(expected));
            assert!(expected.is_off(), "{code}");
        }
        assert_eq!(state("PowerState/hovering"), Some(PowerState::Unknown));
        for code in ["PowerState", "ProvisioningState/succeeded", ""] {
            assert_eq!(state(code), None, "{code}");
        }
        assert!(!PowerState::Unknown.is_off() && !PowerState::Starting.is_off());
    }
}
