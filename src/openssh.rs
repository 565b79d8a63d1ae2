//! OpenSSH's programs and protocols: how `ssh` is called, and the messages of its agent (PROTOCOL.agent).

pub(crate) mod add_identity;
pub(crate) mod agent_protocol;
pub(crate) mod agent_stream;
mod client;
pub(crate) mod host_key;
pub(crate) mod session_bind;
pub(crate) mod userauth;

pub(crate) use self::client::{SSH_VARIABLE, ssh_arguments, take_config_file};
