//! Ports for programs that take none of the system's choice, and ports that refuse.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process;
use std::sync::atomic::{AtomicU16, Ordering};

use tokio::net::TcpSocket;

/// The next port to try; below those that the system chooses itself.
static NEXT: AtomicU16 = AtomicU16::new(20_000);

/// Returns an address to listen at, for a program that has to be given one.
///
/// It stays free until that program takes it: the host part of 127.0.0.0/8, all of which is loopback (RFC 1122, section
/// 3.2.1.3), is made of this process's ID, and the process gives out each port once.
pub(crate) fn free_address() -> SocketAddr {
    loop {
        let address = SocketAddr::from((own_loopback(), NEXT.fetch_add(1, Ordering::Relaxed)));
        // A program that listens at every address may have this port.
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}

/// Returns the loopback address that no other process of the tests listens at.
pub(crate) fn own_loopback() -> Ipv4Addr {
    let [_, high, middle, low] = process::id().to_be_bytes();
    Ipv4Addr::new(127, 64 | high, middle, low)
}

/// A port of 127.0.0.1 that refuses connections for as long as this lives: nobody listens, and nobody else can have it.
pub(crate) struct RefusingPort(TcpSocket);

impl RefusingPort {
    pub(crate) fn open() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        Self(socket)
    }

    pub(crate) fn number(&self) -> u16 {
        self.0.local_addr().unwrap().port()
    }
}

#[test]
fn no_address_is_given_out_twice() {
    let (one, other) = (free_address(), free_address());
    assert_ne!(one, other);
    assert!(one.ip().is_loopback() && one.ip() != Ipv4Addr::LOCALHOST);
}

#[test]
fn a_refusing_port_refuses() {
    let port = RefusingPort::open();
    let refused = std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port.number()));
    let kind = refused.unwrap_err().kind();
    assert_eq!(kind, std::io::ErrorKind::ConnectionRefused);
}
