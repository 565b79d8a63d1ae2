use crate::azure::PowerState;
use crate::direct::DirectError;
use crate::failure::Failure;
use crate::ids::{MachineName, ResourceId};
use crate::relay::RelayError;

/// Why a connection to a machine could not be opened, or broke.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    /// The agent's answer, unchanged.
    #[error("{0}")]
    Agent(Failure),
    /// The direct route failed.
    #[error(transparent)]
    Direct(#[from] DirectError),
    /// The VM has no network address.
    #[error("`{machine}` has no address")]
    NoAddress { machine: MachineName },
    /// Neither a machine nor an address was named.
    #[error("no machine is named")]
    NoMachine,
    /// The VM does not run.
    #[error("`{}` is {power}", machine.name())]
    PoweredOff {
        machine: ResourceId,
        power: PowerState,
    },
    /// The relay route failed.
    #[error(transparent)]
    Relay(#[from] RelayError),
}
