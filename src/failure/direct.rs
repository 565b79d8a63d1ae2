//! What to do about a direct connection.

use super::{Failure, FailureKind};
use crate::direct::{Addresses, DirectError, Place};

impl From<DirectError> for Failure {
    fn from(error: DirectError) -> Self {
        let failure = Self::of(&error);
        match &error {
            DirectError::Dropped { .. } => failure.hint("connect again").kind(FailureKind::Dropped),
            DirectError::NotTaken { .. } => failure.hint("connect again"),
            DirectError::Refused { .. } => failure.hint(
                "sshd does not run on it or listens on another port (--port); on the machine: sudo systemctl start ssh",
            ),
            DirectError::TimedOut { place, .. } | DirectError::Unreachable { place, .. } => {
                failure.hint(way_hint(place))
            }
        }
    }
}

fn way_hint(place: &Place) -> String {
    let port = place.port;
    match &place.addresses {
        Addresses::Named(_) => format!(
            "check the address, and that the network security groups on the way let port {port} in"
        ),
        Addresses::Private(_) => {
            "a private address is reached from its own network alone: connect to that first, or name an address that leads \
             there: --ip ADDRESS"
                .to_owned()
        }
        Addresses::Public(_) => format!(
            "let port {port} in from here: az network nsg rule create -g GROUP --nsg-name NSG -n ssh --priority 1000 \
             --destination-port-ranges {port} --source-address-prefixes ADDRESS; or, within its network: --prefer-private-ip"
        ),
    }
}
