//! Signs people and pipelines in to Azure Linux machines with short-lived OpenSSH certificates from Entra ID.

pub mod agent;
pub mod azure;
pub mod certificate;
pub mod cloud;
pub mod entra;
pub mod failure;
pub mod hex;
pub mod host;
pub mod ids;
pub mod issue;
pub mod keyring;
pub mod openssh;
pub mod profile;
pub mod relay;
pub mod rfc4251;
pub mod secret;
pub mod sign_in;
pub mod ssh_config;
pub mod target;
pub mod time;
