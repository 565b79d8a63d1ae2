//! Signs people and pipelines in to Azure Linux machines with short-lived OpenSSH certificates from Entra ID.
//!
//! This library is what the `entra-ssh` command is made of. It makes a key pair, has Entra certify it, keeps both in the
//! system's keyring, writes ssh config that goes through a relay client of its own, and renews what expires, so that plain
//! `ssh web01` works from then on.
//!
//! ```text
//! ssh web01
//!  ├─ ~/.ssh/config ──Include──> our own file, a block a host               ssh_config
//!  ├─ ProxyCommand: entra-ssh proxy                                         cli::proxy
//!  │     1. asks the agent for a live certificate      ┐ side by side       agent ── issue ── entra
//!  │     2. asks the agent for relay credentials       ┘                           └─ azure
//!  │     3. carries the bytes, or gives ssh a connection to an address      relay, direct
//!  └─ IdentityAgent: the agent's socket: lists the certificate, signs       agent ── certificate
//! ```
//!
//! ssh reads certificate files as soon as it has *started* `ProxyCommand`, but asks an agent only after key exchange. So an
//! agent that `ProxyCommand` wakes can renew in time, without files, and `ssh -G` has no side effect.
//!
//! # Floors
//!
//! Imports go down only, and on floor 2 none goes sideways; a test holds them to it.
//!
//! ```text
//! floor 4  cli           one file a command
//! floor 3  services      session < issue < identity < hosts < failure < agent < inventory < connect: each uses those before it
//! floor 2  domains       azure  certificate*  direct  entra  keyring  openssh  relay  ssh_config
//! floor 1  host          the only doors to the machine: clock, environment, files, processes, network
//! floor 0  words         cloud  hex  ids  line  progress  rfc4251  secret  time: pure values
//! ```
//!
//! (*) `certificate` stands a step below its siblings: a public key is what `entra` asks to have certified.
//!
//! # Example
//!
//! What a certificate says, without trusting it:
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
