//! What somebody needs to know to use a running sandbox: one JSON object.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The first line that the `sandbox` example prints.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Description {
    /// The file for `--cloud`.
    pub cloud_file: String,
    /// A file for `--cloud` that leads through a middlebox, whose certificates nobody trusts.
    pub inspected_cloud_file: String,
    /// The certificate authority of all addresses, PEM.
    pub ca_file: String,
    /// Where Entra is.
    pub authority: String,
    /// Where ARM is.
    pub resource_manager: String,
    /// The ID of the first tenant.
    pub tenant: String,
    /// The ID of the first tenant's subscription.
    pub subscription: String,
    /// The people.
    pub users: Vec<DescribedUser>,
    /// The service principals.
    pub service_principals: Vec<DescribedServicePrincipal>,
    /// The machines.
    pub machines: Vec<DescribedMachine>,
    /// A hybrid connection that nobody listens on yet.
    pub relay: DescribedRelay,
    /// Where the control service is.
    pub control: String,
    /// The environment variables of programs in pipelines, pods and machines, by the kind of place.
    pub workloads: BTreeMap<String, BTreeMap<String, String>>,
}

/// A person.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct DescribedUser {
    /// The name to sign in with.
    pub upn: String,
}

/// A service principal.
#[derive(Clone, Deserialize, PartialEq, Serialize)]
pub struct DescribedServicePrincipal {
    /// The application's ID.
    pub client_id: String,
    /// The secret.
    pub client_secret: String,
}

impl std::fmt::Debug for DescribedServicePrincipal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DescribedServicePrincipal")
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}

/// A machine.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct DescribedMachine {
    /// The machine's name.
    pub name: String,
    /// The resource group.
    pub resource_group: String,
    /// The resource ID.
    pub resource_id: String,
    /// `arc`, `vm`, `vmware`, `scvmm` or `azure-local`.
    pub kind: String,
    /// Where a VM's SSH server listens, as it cannot be port 22.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
}

/// A hybrid connection for a listener from elsewhere.
#[derive(Clone, Deserialize, PartialEq, Serialize)]
pub struct DescribedRelay {
    /// The namespace's address, `wss://…`.
    pub endpoint: String,
    /// The name of the hybrid connection.
    pub hybrid_connection: String,
    /// A SAS token to listen with.
    pub listen_token: String,
    /// The machine that the connection belongs to.
    pub machine: String,
}

impl std::fmt::Debug for DescribedRelay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DescribedRelay")
            .field("endpoint", &self.endpoint)
            .field("hybrid_connection", &self.hybrid_connection)
            .field("machine", &self.machine)
            .finish_non_exhaustive()
    }
}
