//! What to do about a connection.

use crate::connect::ConnectError;
use crate::failure::{Failure, FailureKind};

impl From<ConnectError> for Failure {
    fn from(error: ConnectError) -> Self {
        let hint = match error {
            ConnectError::Agent(failure) => return failure,
            ConnectError::Direct(error) => return error.into(),
            ConnectError::Relay(error) => return error.into(),
            ConnectError::NoMachine => return Self::of(&error).kind(FailureKind::Usage),
            ConnectError::NoAddress { .. } => {
                "give it a network interface with one, or name one that leads to it: --ip ADDRESS"
                    .to_owned()
            }
            ConnectError::PoweredOff { ref machine, .. } => {
                format!("start it: az vm start --ids {machine}")
            }
        };
        Self::of(&error).hint(hint)
    }
}
