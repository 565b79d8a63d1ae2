//! Chooses the route to a machine, connects, and carries bytes or hands the connection over.
//!
//! ```text
//! Destination ──Connector::to──┬── Direct:  addresses from the user or the agent ── TCP
//!                              └── Relayed: credentials from the agent ── Azure Relay
//! Connector ──connect──> Connected ──┬── carry: a client's socket, or standard input and output
//!                                    └── hand over: ssh takes the descriptor (`ProxyUseFDPass`)
//! ```
//!
//! Both routes ask the agent where to connect, and ask again if its answer is outdated ([`dialer`]).

mod connected;
mod connector;
mod destination;
mod dialer;
mod direct;
mod error;
mod relayed;

pub(crate) use self::connector::{Connector, Means};
pub(crate) use self::destination::Destination;
pub(crate) use self::error::ConnectError;
