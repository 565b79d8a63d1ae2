//! Signs users and pipelines in to Azure Linux machines with short-lived OpenSSH certificates from Entra ID.
//!
//! This library is what the `entra-ssh` command is made of. It generates a key pair, acquires a certificate for it from Entra,
//! keeps both in the OS keyring, writes ssh config that connects through its own Azure Relay client, and renews certificates
//! before they expire, so that plain `ssh web01` keeps working.
//!
//! ```text
//! ssh web01
//!  ├─ ~/.ssh/config ──Include──> the managed file, one block per host        ssh_config, hosts
//!  ├─ ProxyCommand: entra-ssh proxy                                          cli::proxy, connect
//!  │     1. asks the agent for a certificate in date   ┐ at the same time     agent ── issue ── session ── entra
//!  │     2. asks the agent for relay credentials       ┘                            └─ session ── azure
//!  │     3. carries bytes, or hands ssh a connection to an address           relay, direct
//!  └─ IdentityAgent: the agent's socket: lists the certificate, signs        agent ── certificate
//! ```
//!
//! ssh reads certificate files as soon as it has *started* `ProxyCommand`, but queries an agent only after key exchange. So an
//! agent that `ProxyCommand` wakes can renew in time, without files, and `ssh -G` has no side effects.
//!
//! # Floors
//!
//! Imports go down only, and on floor 2 none goes sideways; `tests/floors` checks it. `docs/architecture.md` follows two requests
//! through the files.
//!
//! ```text
//! floor 4  cli           one file per command
//! floor 3  services      session < issue < identity < hosts < failure < agent < inventory < connect: each uses those before it
//! floor 2  domains       azure  certificate*  direct  entra  keyring  openssh  relay  ssh_config
//! floor 1  host          the only access to the local system: clock, environment, files, processes, network
//! floor 0  words         cloud  hex  ids  line  progress  rfc4251  secret  time: pure values
//! ```
//!
//! (*) `certificate` stands a step below its siblings: `entra` asks for a public key to be certified.
//!
//! # Example
//!
//! Parsing a certificate does not mean trusting it:
//!
//! ```
//! use entra_ssh::certificate::{CertificateError, Unverified};
//!
//! let refusal = Unverified::from_openssh("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA== alice").unwrap_err();
//! assert!(matches!(refusal, CertificateError::NotACertificate { .. }));
//! ```

#![expect(
    unnameable_types,
    reason = "`internal` re-exports what tests use, and not every type around it"
)]

mod agent;
mod azure;
pub mod certificate;
mod cli;
mod cloud;
mod connect;
mod direct;
mod entra;
mod failure;
mod hex;
mod host;
mod hosts;
mod identity;
mod ids;
#[doc(hidden)]
pub mod internal;
mod inventory;
mod issue;
mod keyring;
mod line;
mod openssh;
mod progress;
mod relay;
mod rfc4251;
mod secret;
mod session;
mod ssh_config;
mod time;
