//! What is in the sandbox's directory and subscriptions when it starts.

mod defaults;
mod network;

use std::collections::BTreeMap;
use std::time::Duration;

pub use self::network::{Network, PublicAddress};

use crate::machine::MachineKind;

/// What to start with; [`Options::default`] is a small company and its neighbour.
#[derive(Clone, Debug)]
pub struct Options {
    /// How long an Arc agent takes to listen after its endpoint was set up.
    pub agent_delay: Duration,
    /// The longest message that an Arc agent reads, in bytes; one that is longer closes the connection
    /// with 1009. 32 KiB unless this says otherwise, as Go's WebSocket library has it.
    pub agent_read_limit: usize,
    /// How long the tokens last that workloads prove themselves with.
    pub assertion_lifetime: Duration,
    /// How long a bearer token lasts.
    pub bearer_lifetime: Duration,
    /// How long an SSH certificate lasts.
    pub certificate_lifetime: Duration,
    /// Whether Entra certifies Ed25519 keys, which the real one does not.
    pub certifies_ed25519: bool,
    /// How often a device code may be asked for.
    pub device_code_interval: Duration,
    /// How long a device code lasts.
    pub device_code_lifetime: Duration,
    /// Hybrid connections that belong to no machine, for any Azure Relay client and listener.
    pub hybrid_connections: Vec<String>,
    /// What answers on the machines' SSH ports.
    pub machine_kind: MachineKind,
    /// The machines.
    pub machines: Vec<MachineSpec>,
    /// Who programs are on a machine or in an app with a managed identity. It cannot sign in at the
    /// token endpoint.
    pub managed_identity: ServicePrincipal,
    /// How often a refresh token may be used. Its last use brings the next one, and after that it is
    /// refused. Without a limit every use brings another one, and all go on working, as Entra's do.
    pub refresh_token_uses: Option<u32>,
    /// How long the registration of a resource provider takes.
    pub registration_time: Duration,
    /// The Relay drops a connection on which nothing moved for so long.
    pub relay_idle_time: Duration,
    /// How long the Relay waits for a listener that was told of a connection.
    pub rendezvous_time: Duration,
    /// The service principals.
    pub service_principals: Vec<ServicePrincipal>,
    /// The tenants, each with one subscription.
    pub tenants: Vec<Tenant>,
    /// The people.
    pub users: Vec<User>,
}

/// A directory, and its subscription.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Tenant {
    /// The tenant's ID.
    pub id: String,
    /// The domain its user names end in.
    pub domain: String,
    /// What people call it.
    pub display_name: String,
    /// The ID of its subscription.
    pub subscription_id: String,
    /// The name of its subscription.
    pub subscription_name: String,
    /// Whether `Microsoft.HybridConnectivity` is registered in the subscription.
    pub provider_registered: bool,
}

/// A person.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct User {
    /// The name that is typed to sign in.
    pub upn: String,
    /// What people call them.
    pub display_name: String,
    /// The memberships; the first one is the home tenant.
    pub memberships: Vec<Membership>,
    /// What they may do in every subscription of their tenants.
    pub role: Role,
}

impl User {
    /// Returns the user as a tenant knows them.
    #[must_use]
    pub fn membership(&self, tenant: &str) -> Option<&Membership> {
        self.memberships
            .iter()
            .find(|membership| membership.tenant == tenant)
    }
}

/// A person as one tenant knows them; a guest's name is not the one they sign in with.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Membership {
    /// The tenant's ID.
    pub tenant: String,
    /// The user principal name in that tenant.
    pub upn: String,
    /// The object ID in that tenant.
    pub oid: String,
}

/// An application that signs in by itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ServicePrincipal {
    /// The application's ID.
    pub client_id: String,
    /// What people call it.
    pub display_name: String,
    /// The tenant's ID.
    pub tenant: String,
    /// The object ID.
    pub oid: String,
    /// The secret.
    pub client_secret: String,
    /// PEM certificates whose keys may sign its assertions.
    pub certificates: Vec<String>,
    /// Whose tokens count as its own.
    pub federated_credentials: Vec<FederatedCredential>,
    /// What it may do in its tenant's subscription.
    pub role: Role,
}

/// Trust in another issuer's tokens.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FederatedCredential {
    /// The `iss` claim; `{authority}` in it stands for the sandbox's own address.
    pub issuer: String,
    /// The `sub` claim.
    pub subject: String,
    /// The `aud` claim, usually `api://AzureADTokenExchange`.
    pub audience: String,
    /// Whose signature the token must have.
    pub issuer_key: IssuerKey,
}

/// Whose signature a federated token must have.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum IssuerKey {
    /// Anybody's: it is not looked at.
    Any,
    /// Entra's: the token is a managed identity's.
    Entra,
    /// That of an issuer that is not in the sandbox.
    Rsa(RsaPublicKey),
    /// That of the sandbox's own pipelines and clusters.
    Workload,
}

/// An RSA public key, as a JWK has it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RsaPublicKey {
    /// The modulus, base64url.
    pub n: String,
    /// The exponent, base64url.
    pub e: String,
}

/// What somebody may do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Role {
    /// *Virtual Machine Administrator Login*, and everything else.
    Administrator,
    /// *Contributor*: sets machines up, and may not log in to them.
    Contributor,
    /// *Virtual Machine Local User Login*.
    LocalUser,
    /// *Reader*.
    Reader,
    /// *Virtual Machine User Login* and *Reader*.
    User,
}

impl Role {
    /// Returns whether it carries the login data action.
    #[must_use]
    pub fn may_log_in(self) -> bool {
        matches!(self, Self::Administrator | Self::User)
    }
}

/// A machine.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MachineSpec {
    /// The machine's name.
    pub name: String,
    /// The resource group.
    pub resource_group: String,
    /// The subscription's ID.
    pub subscription_id: String,
    /// What kind of resource it is.
    pub kind: ResourceKind,
    /// How far its way through the Relay is set up.
    pub connectivity: Connectivity,
    /// The region.
    pub location: String,
    /// `linux` or `windows`.
    pub os_type: String,
    /// The version of the Arc agent.
    pub agent_version: String,
    /// How it is connected and whether it runs, if it is a VM.
    pub network: Network,
    /// The resource's tags.
    pub tags: BTreeMap<String, String>,
}

impl MachineSpec {
    /// Returns a Linux machine in westeurope that is ready to be reached.
    #[must_use]
    pub fn new(
        name: &str,
        resource_group: &str,
        subscription_id: &str,
        kind: ResourceKind,
    ) -> Self {
        Self {
            name: name.to_owned(),
            resource_group: resource_group.to_owned(),
            subscription_id: subscription_id.to_owned(),
            kind,
            connectivity: Connectivity::Ready,
            location: "westeurope".to_owned(),
            os_type: "linux".to_owned(),
            agent_version: "1.47.02963.1629".to_owned(),
            network: Network::default(),
            tags: BTreeMap::new(),
        }
    }

    /// Returns it with another state of its way through the Relay.
    #[must_use]
    pub fn with_connectivity(mut self, connectivity: Connectivity) -> Self {
        self.connectivity = connectivity;
        self
    }

    /// Returns it with another network.
    #[must_use]
    pub fn with_network(mut self, network: Network) -> Self {
        self.network = network;
        self
    }

    /// Returns it with one more tag.
    #[must_use]
    pub fn with_tag(mut self, name: &str, value: &str) -> Self {
        self.tags.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Returns the resource ID.
    #[must_use]
    pub fn resource_id(&self) -> String {
        format!(
            "/subscriptions/{}/resourceGroups/{}/providers/{}/{}",
            self.subscription_id,
            self.resource_group,
            self.kind.resource_type(),
            self.name
        )
    }
}

/// The kinds of resource that are machines.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ResourceKind {
    /// An Arc-enabled server.
    Arc,
    /// A machine of Azure Local.
    AzureLocal,
    /// A machine of System Center Virtual Machine Manager.
    Scvmm,
    /// An Azure VM.
    Vm,
    /// A machine of `VMware` vSphere.
    Vmware,
}

impl ResourceKind {
    /// Returns the resource type, in ARM's own capitals.
    #[must_use]
    pub fn resource_type(self) -> &'static str {
        match self {
            Self::Arc => "Microsoft.HybridCompute/machines",
            Self::AzureLocal => "Microsoft.AzureStackHCI/virtualMachines",
            Self::Scvmm => "Microsoft.ScVmm/virtualMachines",
            Self::Vm => "Microsoft.Compute/virtualMachines",
            Self::Vmware => "Microsoft.ConnectedVMwarevSphere/virtualMachines",
        }
    }

    /// Returns the word that the sandbox's description has for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Arc => "arc",
            Self::AzureLocal => "azure-local",
            Self::Scvmm => "scvmm",
            Self::Vm => "vm",
            Self::Vmware => "vmware",
        }
    }
}

/// How far a machine's way through the Relay is set up.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Connectivity {
    /// There is no endpoint: `listCredentials` answers 404, and 412 once there is one.
    Absent,
    /// There are an endpoint and a service configuration, and nobody listens.
    NobodyListens,
    /// The sandbox's own Arc agent listens.
    Ready,
}
