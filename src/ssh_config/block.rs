mod names;
mod options;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub(crate) use self::names::host_key_alias;
use crate::ids::{Address, HostAlias, Principal, ProfileName, ResourceId, Route, TenantId};

/// Where ssh finds key and certificate.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Identity {
    /// In our agent.
    Agent,
    /// In files, for clients without agents; `Match exec` keeps them fresh.
    File,
    /// With the user: a local account of the machine, and the user's own keys.
    Own,
    /// With the user: a key whose public half is in a file, and the private one wherever the user's ssh finds it, such as in
    /// hardware or in another agent. The certificate is in a file of ours.
    PublicKey,
    /// The private key in the user's own agent, its public half and the certificate in files.
    SystemAgent,
}

/// One managed host.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Block {
    /// Its alias: what the user types after `ssh`.
    pub host: HostAlias,
    /// The machine; none if only its address is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_id: Option<ResourceId>,
    /// The login name.
    pub user: Principal,
    pub route: Route,
    /// Where key and certificate are.
    pub identity: Identity,
    /// The profile that signs in.
    pub profile: ProfileName,
    /// The tenant of the machine's subscription, where certificates and credentials come from; looked up if it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<TenantId>,
    /// The port on the machine.
    pub port: u16,
    /// The address that was named for it; without one, that of a VM is looked up at each connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Address>,
    /// Whether a VM's private address is taken, even if it has a public one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub prefer_private_ip: bool,
    /// The user's own private key, for [`Identity::Own`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_key_file: Option<PathBuf>,
    /// The user's own public key, for [`Identity::PublicKey`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key_file: Option<PathBuf>,
}

/// The paths on this computer that a block names.
#[derive(Clone, Debug)]
pub(crate) struct LocalPaths {
    /// This executable.
    pub program: PathBuf,
    /// Our agent's socket.
    pub agent_socket: PathBuf,
    /// The file that ssh keeps the host keys of managed hosts in.
    pub known_hosts: PathBuf,
    /// The folder of keys and certificates that are kept in files.
    pub keys: PathBuf,
}

#[cfg(test)]
pub(super) mod tests;
