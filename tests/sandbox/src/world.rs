//! What all services of one sandbox share.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::agents::Agents;
use crate::arm::ArmState;
use crate::entra::EntraState;
use crate::fault::Faults;
use crate::journal::Journal;
use crate::keys::SigningKey;
use crate::options::{Options, ServicePrincipal, Tenant, User};
use crate::relay::Relay;
use crate::workload;

/// The state of one sandbox.
pub(crate) struct World {
    pub(crate) options: Options,
    pub(crate) addresses: Addresses,
    /// The sandbox's own folder.
    pub(crate) folder: PathBuf,
    pub(crate) workload_secrets: workload::Secrets,
    /// The authority that signed the certificates of all listeners.
    pub(crate) ca_pem: String,
    /// Signs tokens and SSH certificates, as Entra's own does.
    pub(crate) signing_key: &'static SigningKey,
    pub(crate) faults: Faults,
    pub(crate) journal: Journal,
    pub(crate) entra: Mutex<EntraState>,
    pub(crate) arm: Mutex<ArmState>,
    pub(crate) relay: Relay,
    pub(crate) agents: Agents,
}

/// Where the services listen.
#[derive(Clone, Debug)]
pub(crate) struct Addresses {
    /// Entra and ARM, for example `https://localhost:8443`.
    pub(crate) cloud: String,
    /// The control service.
    pub(crate) control: String,
    /// Entra and ARM behind a middlebox that breaks TLS open.
    pub(crate) inspected: String,
    /// Endpoints of managed identities, which have no TLS.
    pub(crate) plain_port: u16,
    pub(crate) relay_port: u16,
}

impl Addresses {
    /// Returns the Relay's address, for example `wss://127.0.0.1:8444`.
    pub(crate) fn relay(&self) -> String {
        format!("wss://127.0.0.1:{}", self.relay_port)
    }
}

impl World {
    /// Finds a tenant by ID or domain.
    pub(crate) fn tenant(&self, name: &str) -> Option<&Tenant> {
        self.options.tenants.iter().find(|tenant| {
            tenant.id.eq_ignore_ascii_case(name) || tenant.domain.eq_ignore_ascii_case(name)
        })
    }

    /// Finds a user by the name they sign in with, or by one a tenant knows them by.
    pub(crate) fn user(&self, upn: &str) -> Option<&User> {
        self.options.users.iter().find(|user| {
            user.upn.eq_ignore_ascii_case(upn)
                || user
                    .memberships
                    .iter()
                    .any(|membership| membership.upn.eq_ignore_ascii_case(upn))
        })
    }

    pub(crate) fn service_principal(&self, client_id: &str) -> Option<&ServicePrincipal> {
        self.options
            .service_principals
            .iter()
            .find(|principal| principal.client_id.eq_ignore_ascii_case(client_id))
    }
}

/// Locks, whatever happened to the last holder.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
