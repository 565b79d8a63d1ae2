use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;

use super::error::DirectError;
use super::place::{Addresses, Place};
use crate::host::tcp;

/// How long all addresses of a machine together may take to answer. A firewall that drops packets never does.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// Opens a connection to whichever address of a machine answers first.
///
/// # Errors
/// [`DirectError`].
pub(crate) async fn connect(place: &Place) -> Result<TcpStream, DirectError> {
    tracing::info!(machine = %place.machine, at = %place, "connects to the machine");
    let connected = match &place.addresses {
        Addresses::Named(address) => {
            tcp::connect(address.as_str(), place.port, CONNECT_LIMIT).await
        }
        Addresses::Private(addresses) | Addresses::Public(addresses) => {
            let addresses = addresses
                .iter()
                .map(|address| SocketAddr::new(*address, place.port));
            tcp::connect_to(addresses, CONNECT_LIMIT).await
        }
    };
    connected.map_err(|source| refusal(place.clone(), source))
}

fn refusal(place: Place, source: io::Error) -> DirectError {
    match source.kind() {
        io::ErrorKind::ConnectionRefused => DirectError::Refused { place },
        io::ErrorKind::TimedOut => DirectError::TimedOut {
            place,
            seconds: CONNECT_LIMIT.as_secs(),
        },
        _ => DirectError::Unreachable { place, source },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(addresses: Addresses, port: u16) -> Place {
        Place {
            machine: "vm01".to_owned(),
            addresses,
            port,
        }
    }

    #[tokio::test]
    async fn a_port_that_nobody_listens_on_is_told_from_a_name_that_leads_nowhere() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let here = place(Addresses::Public(vec!["127.0.0.1".parse().unwrap()]), port);
        assert!(connect(&here).await.is_ok());
        drop(listener);
        let refused = connect(&here).await.unwrap_err();
        assert_eq!(
            refused.to_string(),
            format!("`vm01` refuses connections at `127.0.0.1:{port}`")
        );
        let nowhere = place(Addresses::Named("vm01.invalid".parse().unwrap()), 22);
        assert!(matches!(
            connect(&nowhere).await,
            Err(DirectError::Unreachable { .. })
        ));
    }
}
