use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

use tokio::net::TcpListener;

use crate::failure::{Failure, FailureKind};

/// Where to listen.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Bind(pub(super) SocketAddr);

impl FromStr for Bind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let loopback = |port| Self((Ipv4Addr::LOCALHOST, port).into());
        if let Ok(port) = text.strip_prefix("localhost:").unwrap_or(text).parse() {
            return Ok(loopback(port));
        }
        text.parse()
            .map(Self)
            .map_err(|_| "expected ADDRESS:PORT or PORT, such as 127.0.0.1:2222".to_owned())
    }
}

impl Bind {
    /// Opens the port.
    pub(super) async fn listen(self) -> Result<TcpListener, Failure> {
        let listener = TcpListener::bind(self.0).await;
        listener.map_err(|error| bind_failure(self.0, &error))
    }
}

/// Returns who can connect to an address; `None` if only programs of this machine can.
pub(super) fn who_can_connect(address: IpAddr) -> Option<String> {
    let address = address.to_canonical();
    if address.is_loopback() {
        None
    } else if address.is_unspecified() {
        Some("any machine that can reach this one".to_owned())
    } else {
        Some(format!("any machine that can reach {address}"))
    }
}

fn bind_failure(address: SocketAddr, error: &io::Error) -> Failure {
    let failure = Failure::new(format!("cannot listen on {address}")).caused_by(error);
    match error.kind() {
        io::ErrorKind::AddrInUse => failure
            .kind(FailureKind::Usage)
            .hint("another process has this port; without --bind, entra-ssh picks a free one"),
        io::ErrorKind::PermissionDenied => failure.kind(FailureKind::Usage).hint(
            "only root can listen on ports below 1024; choose another: --bind 127.0.0.1:2222",
        ),
        io::ErrorKind::AddrNotAvailable => failure
            .kind(FailureKind::Usage)
            .hint("choose an address of this machine: --bind 127.0.0.1:2222"),
        _ => failure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_loopback_it_is_said_who_can_connect() {
        let who = |address: &str| who_can_connect(address.parse().unwrap());
        for address in ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(who(address), None, "{address}");
        }
        for address in ["0.0.0.0", "::", "::ffff:0.0.0.0"] {
            assert!(who(address).unwrap().contains("this one"), "{address}");
        }
        assert_eq!(
            who("192.0.2.7").unwrap(),
            "any machine that can reach 192.0.2.7"
        );
    }

    #[test]
    fn a_port_alone_is_one_of_this_machine_alone() {
        let bind = |text: &str| {
            text.parse::<Bind>()
                .map(|Bind(address)| address.to_string())
        };
        assert_eq!(bind("2222").unwrap(), "127.0.0.1:2222");
        assert_eq!(bind("localhost:2222").unwrap(), "127.0.0.1:2222");
        assert_eq!(bind("0.0.0.0:2222").unwrap(), "0.0.0.0:2222");
        assert_eq!(bind("[::1]:2222").unwrap(), "[::1]:2222");
        for text in ["", "web01:2222", "127.0.0.1", "70000", ":2222"] {
            assert!(bind(text).is_err(), "{text}");
        }
    }
}
