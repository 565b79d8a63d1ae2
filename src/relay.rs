//! The relay client: a TCP connection to a machine without an address, through Azure Relay.
//!
//! ```text
//! Endpoint ──dial──> Connection ──carry──> bytes both ways, then an Ending or a RelayError
//! ```
//!
//! A connection is a WebSocket (RFC 6455) to the relay; binary messages carry the bytes as they are, with no framing of
//! their own. The handshake (`handshake`) and the frames (`frame`) know nothing of sockets and are tested apart from
//! them. Bytes are passed on as they come, whatever the length of a message, so that memory stays bounded: one buffer each
//! way.

mod dial;
mod endpoint;
mod error;
mod frame;
mod handshake;
mod tunnel;

pub use self::dial::{Connection, dial};
pub use self::endpoint::Endpoint;
pub use self::error::RelayError;
pub use self::tunnel::{Ending, carry};
