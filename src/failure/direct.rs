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
                "check the port of sshd (--port), or start it on the machine: sudo systemctl start ssh",
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
            "check the address, and that the network security groups allow port {port}"
        ),
        Addresses::Private(_) => {
            "connect to the network of the private address first, or give an address that is reachable from here: --ip ADDRESS"
                .to_owned()
        }
        Addresses::Public(_) => format!(
            "allow port {port} from here: az network nsg rule create -g GROUP --nsg-name NSG -n ssh --priority 1000 \
             --destination-port-ranges {port} --source-address-prefixes ADDRESS; or, from within its network, use --prefer-private-ip"
        ),
    }
}
