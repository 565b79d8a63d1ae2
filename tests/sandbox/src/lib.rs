//! A stand-in for Microsoft's cloud, on this machine: Entra ID, Azure Resource Manager, Azure Relay,
//! Arc agents, and machines to log in to.
//!
//! It is for tests, demonstrations and trying things by hand. It keeps what it knows in memory, speaks
//! only https and wss on loopback addresses with certificates of its own, and depends on nothing of
//! `entra-ssh`, so that a mistake there is not repeated here.
//!
//! ```text
//!            https://localhost:A                    wss://127.0.0.1:B          127.0.0.1:C, D, …
//! client ──> entra/   sign-in, tokens, certificates
//!        ──> arm/     machines, relay credentials
//!        ──> workload/  OIDC of pipelines; managed identities, at http://127.0.0.1:F
//!        ─────────────────────────────────────────> relay/ <── arc_agent ──> machine/
//!            https://localhost:E
//! test   ──> control  approve, fault, requests
//! ```
//!
//! ```no_run
//! use sandbox::{Fault, Options, Sandbox};
//!
//! let sandbox = Sandbox::start(Options::default())?;
//! sandbox.fault(Fault::RelayReset.times(2));
//! println!("entra-ssh --cloud {} login --device-code", sandbox.cloud_file().display());
//! # Ok::<(), sandbox::Error>(())
//! ```

mod agents;
pub mod arc_agent;
mod arm;
mod clock;
mod control;
mod description;
mod encoding;
mod entra;
mod fault;
mod folder;
mod front;
mod http;
mod journal;
mod keys;
pub mod machine;
mod options;
mod relay;
mod sandbox;
mod tls;
mod workload;
mod world;

pub use description::{
    DescribedMachine, DescribedRelay, DescribedServicePrincipal, DescribedUser, Description,
};
pub use fault::{Fault, Injection, Variation};
pub use journal::{RequestRow, Service};
pub use machine::MachineKind;
pub use options::{
    Connectivity, FederatedCredential, IssuerKey, MachineSpec, Membership, Network, Options,
    PublicAddress, ResourceKind, Role, RsaPublicKey, ServicePrincipal, Tenant, User,
};
pub use sandbox::{Error, Sandbox};
pub use workload::Workload;
pub use workload::certificate::ClientCertificate;
