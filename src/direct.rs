//! The direct route: a TCP connection to a machine that has an address.
//!
//! ```text
//! Place ──connect──> TcpStream ──┬── given to ssh, which goes on by itself      host::descriptor_passing
//!                                └── carry: bytes both ways, for other programs
//! ```
//!
//! It never goes through an HTTP proxy, as a connection of plain `ssh` to an address does not: those let HTTPS out, and
//! nothing to port 22.

mod carry;
mod error;
mod open;
mod place;

pub(crate) use self::carry::carry;
pub(crate) use self::error::DirectError;
pub(crate) use self::open::connect;
pub(crate) use self::place::{Addresses, Place};
