//! The agent: one process a user that holds keys and relay credentials in memory, renews what expires, and answers ssh.
//!
//! It is an ssh agent (PROTOCOL.agent) on a socket that only its user can open, and it answers our own programs on the same
//! socket through an extension of that protocol ([`ask`]). Whoever needs it starts it; after an hour without a question it
//! ends. It asks nobody anything: what needs a person is told to whoever asked.

mod account;
mod accounts;
pub mod ask;
mod bindings;
pub mod client;
mod connection;
mod doors;
mod passphrase_lock;
mod renewal;
mod requests;
mod server;
pub mod system_agent;
pub mod systemd;
mod tend;

pub use self::server::{DEFAULT_IDLE_SECONDS, serve};
