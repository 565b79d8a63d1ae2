//! What our own programs ask the agent, framed as an extension of PROTOCOL.agent.
//!
//! The agent answers on a second socket beside the one for ssh: `ssh -A` carries the latter to other machines, which must not
//! get relay credentials.
//!
//! ```text
//! request     byte 27 (SSH_AGENTC_EXTENSION), string "ask@entra-ssh", a question in JSON
//!             (or {"caller": …, "question": …})
//! answer      byte 6 (SSH_AGENT_SUCCESS), a result in JSON: {"Ok": …} or {"Err": failure}
//! ```
//!
//! The socket is private and never leaves the machine.

mod memory;

use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

pub(crate) use self::memory::{Carried, MemoryAnswer, MemoryQuestion};
use super::caller::Caller;
use crate::azure::{RelayCredentials, VmAddresses};
use crate::certificate::{Certificate, CertificateSummary, RenewWhen, Unverified};
use crate::failure::Failure;
pub use crate::ids::Tenancy;
use crate::ids::{
    MachineName, Principal, ProfileName, ResourceGroup, ResourceId, SubscriptionId, TenantId,
};
use crate::line::Line;
use crate::secret::Secret;
use crate::session::CloudName;
use crate::time::UnixTime;

/// The extension's name.
pub(crate) const EXTENSION: &str = "ask@entra-ssh";

/// What comes over the socket: a question, and who asks. How the agent is, and that it is to end, any version can ask any other.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Asked {
    /// From somewhere.
    From {
        /// The caller.
        caller: Caller,
        /// The question.
        question: Question,
    },
    /// From anywhere.
    Plainly(Question),
}

/// A question and who asks, on their way to the agent.
#[derive(Debug, Serialize)]
pub(crate) struct Asking<'a> {
    /// The caller.
    pub caller: &'a Caller,
    /// The question.
    pub question: &'a Question,
}

/// A question.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Question {
    /// A certificate that is not due, renewed first if it is.
    Certificate {
        /// Whose.
        profile: ProfileName,
        /// In which tenant.
        tenancy: Tenancy,
    },
    /// Forget all that is held for a profile.
    Forget {
        /// Whose.
        profile: ProfileName,
    },
    /// What the memory keyring holds.
    Memory(MemoryQuestion),
    /// Relay credentials for a machine.
    RelayCredentials(RelayQuestion),
    /// A new certificate, unless the one there is lasts long enough.
    Renew {
        /// Whose.
        profile: ProfileName,
        /// In which tenant.
        tenancy: Tenancy,
        /// What is long enough.
        when: RenewWhen,
    },
    /// How the agent is.
    Status,
    /// End.
    Stop,
    /// The machines of a name, as an account sees them.
    Machines(MachinesQuestion),
    /// The ID of a tenant that is named by one of its domains.
    TenantId {
        /// The cloud.
        cloud: CloudName,
        /// The tenant.
        tenant: TenantId,
    },
    /// The tenant of a subscription.
    TenantOf {
        /// The cloud.
        cloud: CloudName,
        /// The subscription.
        subscription: SubscriptionId,
    },
    /// The addresses of a VM.
    VmAddresses(AddressQuestion),
}

/// Relay credentials for a machine.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct RelayQuestion {
    /// Whose sign-in they are fetched with.
    pub profile: ProfileName,
    /// In which tenant.
    pub tenancy: Tenancy,
    /// The machine.
    pub machine: ResourceId,
    /// The port on it, should its service have to be set up.
    pub port: u16,
    /// The fingerprint of those that the relay refused, if it did: others are fetched in their place.
    pub refused: Option<String>,
}

/// Which machines there are of a name.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct MachinesQuestion {
    /// Whose sign-in they are looked up with.
    pub profile: ProfileName,
    /// The name.
    pub name: MachineName,
    /// The only resource group.
    pub group: Option<ResourceGroup>,
    /// The only subscriptions, if there are any.
    pub subscriptions: Vec<SubscriptionId>,
}

/// Where a VM is.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct AddressQuestion {
    /// Whose sign-in its addresses are looked up with.
    pub profile: ProfileName,
    /// In which tenant.
    pub tenancy: Tenancy,
    /// The VM.
    pub machine: ResourceId,
    /// The addresses that did not answer, if any: the agent looks them up again.
    pub unreached: Option<VmAddresses>,
}

/// An answer.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Answer {
    /// A certificate is there.
    Certificate(CertificateAnswer),
    /// It is done.
    Done,
    /// What the memory keyring holds.
    Memory(MemoryAnswer),
    /// Relay credentials.
    RelayCredentials(RelayAnswer),
    /// Machines.
    Machines(Vec<ResourceId>),
    /// A certificate that lasts long enough.
    Renewed(RenewedAnswer),
    /// How the agent is.
    Status(StatusAnswer),
    /// The ID of a tenant.
    TenantId(TenantId),
    /// The tenant of a subscription; none if the cloud does not know the subscription.
    TenantOf(Option<TenantId>),
    /// The addresses of a VM.
    VmAddresses(VmAddresses),
}

/// A certificate that the agent serves.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct CertificateAnswer {
    /// The login name that goes with it.
    pub login_name: Principal,
    /// What is in it.
    pub certificate: CertificateSummary,
    /// Whether the agent is locked (`ssh-add -x`), so that ssh finds no key in it.
    #[serde(default)]
    pub is_locked: bool,
    /// What could not be stored of the account, and why.
    #[serde(default)]
    pub unsaved: Vec<Line>,
}

/// Relay credentials on their way through the socket.
#[derive(Deserialize, Serialize, Zeroize, ZeroizeOnDrop)]
pub struct RelayAnswer {
    host: String,
    hybrid_connection: String,
    access_key: String,
    service_configuration_token: Option<String>,
    #[zeroize(skip)]
    expires_on: UnixTime,
    /// Whether the machine was set up just now, so that it may take a while to listen.
    #[zeroize(skip)]
    pub is_new: bool,
}

impl std::fmt::Debug for RelayAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RelayAnswer({}, redacted)", self.host)
    }
}

impl RelayAnswer {
    /// Puts credentials into an answer.
    #[must_use]
    pub fn new(credentials: &RelayCredentials, is_new: bool) -> Self {
        Self {
            host: credentials.host.clone(),
            hybrid_connection: credentials.hybrid_connection.clone(),
            access_key: credentials.access_key.expose().to_owned(),
            service_configuration_token: credentials
                .service_configuration_token
                .as_ref()
                .map(|token| token.expose().to_owned()),
            expires_on: credentials.expires_on,
            is_new,
        }
    }

    /// Returns the credentials.
    #[must_use]
    pub fn credentials(&self) -> RelayCredentials {
        RelayCredentials {
            host: self.host.clone(),
            hybrid_connection: self.hybrid_connection.clone(),
            access_key: Secret::new(self.access_key.clone()),
            service_configuration_token: self.service_configuration_token.clone().map(Secret::new),
            expires_on: self.expires_on,
        }
    }
}

/// A certificate that lasts long enough.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct RenewedAnswer {
    /// What is in it.
    pub certificate: CertificateSummary,
    /// Whether it was issued just now.
    pub is_new: bool,
    /// All of it, in OpenSSH's form.
    #[serde(default)]
    pub line: String,
    /// What could not be stored of the account, and why.
    #[serde(default)]
    pub unsaved: Vec<Line>,
}

impl RenewedAnswer {
    /// Returns the certificate.
    ///
    /// # Errors
    /// [`Failure`] if it cannot be read, or is invalid now.
    pub(crate) fn verified(&self, now: UnixTime) -> Result<Certificate, Failure> {
        let unverified = Unverified::from_openssh(&self.line).map_err(|_| another_version())?;
        Ok(unverified.verify(now, unverified.public_key())?)
    }
}

/// How the agent is.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct StatusAnswer {
    /// What it holds in memory only, since it could not be stored, and why.
    #[serde(default)]
    pub unsaved: Vec<Line>,
    /// What it waits for because a server asks it to.
    #[serde(default)]
    pub waiting: Option<Line>,
    /// Its process.
    pub pid: u32,
    /// Its version.
    pub version: Line,
    /// The profiles that it holds something for.
    pub profiles: Vec<ProfileName>,
    /// Since when it runs.
    #[serde(default)]
    pub started: Option<UnixTime>,
    /// Whether it is locked (`ssh-add -x`).
    #[serde(default)]
    pub is_locked: bool,
    /// Whether its memory is kept out of swap.
    #[serde(default)]
    pub is_memory_locked: bool,
    /// Whether its program has been replaced.
    #[serde(default)]
    pub is_replaced: bool,
    /// How many sign-ins it holds the only copy of.
    #[serde(default)]
    pub sign_ins: usize,
}

/// What comes back.
pub(crate) type AskResult = Result<Answer, Failure>;

/// Returns the failure of an agent and a program that do not understand each other.
#[must_use]
pub(crate) fn another_version() -> Failure {
    Failure::new("the running agent is of another version").hint("restart it: entra-ssh agent stop")
}
