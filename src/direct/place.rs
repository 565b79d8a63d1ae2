use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::TcpStream;

use super::DirectError;
use crate::host::tcp;
use crate::ids::Address;

/// How long all addresses of a machine together may take to answer. A firewall that drops packets never does.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// Where a machine listens.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Place {
    /// What people call the machine.
    pub machine: String,
    /// Its addresses.
    pub addresses: Addresses,
    /// The port on it.
    pub port: u16,
}

/// The addresses of a machine, by who reaches them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Addresses {
    /// One that the user named.
    Named(Address),
    /// Those that its own networks lead to.
    Private(Vec<IpAddr>),
    /// Those that the Internet leads to.
    Public(Vec<IpAddr>),
}

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
    connected.map_err(|source| place.refusal(source))
}

impl Place {
    fn refusal(&self, source: io::Error) -> DirectError {
        let place = self.clone();
        match source.kind() {
            io::ErrorKind::ConnectionRefused => DirectError::Refused { place },
            io::ErrorKind::TimedOut => DirectError::TimedOut {
                place,
                seconds: CONNECT_LIMIT.as_secs(),
            },
            _ => DirectError::Unreachable { place, source },
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<String> = match &self.addresses {
            Addresses::Named(address) => vec![address.to_string()],
            Addresses::Private(addresses) | Addresses::Public(addresses) => {
                addresses.iter().map(IpAddr::to_string).collect()
            }
        };
        for (index, text) in texts.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            if text.contains(':') {
                write!(f, "{separator}[{text}]:{}", self.port)?;
            } else {
                write!(f, "{separator}{text}:{}", self.port)?;
            }
        }
        Ok(())
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

    #[test]
    fn a_place_is_told_with_all_its_addresses() {
        let both = vec!["10.0.0.4".parse().unwrap(), "fd00::4".parse().unwrap()];
        for (addresses, expected) in [
            (Addresses::Private(both), "10.0.0.4:22, [fd00::4]:22"),
            (Addresses::Named("::1".parse().unwrap()), "[::1]:22"),
            (
                Addresses::Named("vm01.example".parse().unwrap()),
                "vm01.example:22",
            ),
        ] {
            assert_eq!(place(addresses, 22).to_string(), expected);
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
