//! The relay client: a TCP connection to a machine without an address, through Azure Relay.
//!
//! ```text
//! Endpoint ──dial──> Connection ──carry──> bytes both ways, then an Ending or a RelayError
//! ```
//!
//! A connection is a WebSocket (RFC 6455) to the relay; binary messages carry the bytes as they are, with no framing of
//! their own. The handshake (`handshake`), TLS (`records`), the frames (`frame`) and the deadlines (`watch`) know nothing of
//! sockets and clocks; `dial` and `tunnel` bring them together, and `waiter` is who waits. Bytes are passed on as they come,
//! whatever the length of a message, in buffers of a fixed size, so that memory stays bounded whatever the far side does.

mod buffer;
mod dial;
mod endpoint;
mod error;
pub(crate) mod frame;
mod handshake;
mod masks;
mod outgoing;
mod records;
mod refusal;
mod tunnel;
mod waiter;
mod watch;

pub use self::buffer::Capacity;
pub use self::dial::{Connection, dial};
pub use self::endpoint::Endpoint;
pub use self::error::RelayError;
pub(crate) use self::refusal::RefusalReason;
pub use self::tunnel::{Ending, carry, carry_standard_streams};
