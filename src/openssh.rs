//! OpenSSH's programs and protocols: how `ssh` is called, and the messages of its agent (PROTOCOL.agent).

pub mod add_identity;
pub mod agent_protocol;
mod client;
pub mod host_key;
pub mod session_bind;
pub mod userauth;

pub use self::client::{SSH_VARIABLE, ssh_arguments, take_config_file};
