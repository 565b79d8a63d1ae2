//! Profiles: one signed-in account in one cloud, under a name. What is secret about it is in the keyring.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::ids::{Account, ClientId, ProfileName, TenantId};
use crate::keyring::{Backend, EntryName, Kind};
use crate::session::cloud_name::CloudName;
use crate::session::key_options::KeyOptions;

/// How a profile signs in.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// A service principal, by ID tokens of Azure Pipelines.
    AzurePipelines {
        client_id: ClientId,
        service_connection_id: String,
    },
    /// A service principal, by a certificate.
    ClientCertificate { client_id: ClientId },
    /// A service principal, by a client secret.
    ClientSecret { client_id: ClientId },
    /// A service principal, by ID tokens of GitHub Actions.
    GithubActions { client_id: ClientId },
    /// A service principal, by tokens of a managed identity that it trusts.
    ManagedIdentity {
        client_id: ClientId,
        /// The user-assigned identity; the system's own if there is none.
        identity: Option<ClientId>,
    },
    /// A service principal, by a token that something else keeps fresh in a file.
    TokenFile { client_id: ClientId, file: PathBuf },
    /// A user, by a refresh token. Profiles keep the name that the first version gave it.
    #[serde(rename = "person")]
    User,
}

impl Method {
    /// Returns the end of an entry's name: an application may sign in in several ways, under a profile each.
    const fn suffix(&self) -> &'static str {
        match self {
            Self::AzurePipelines { .. } => " azure-pipelines",
            Self::ClientCertificate { .. } => " client-certificate",
            Self::GithubActions { .. } => " github-actions",
            Self::ClientSecret { .. }
            | Self::ManagedIdentity { .. }
            | Self::TokenFile { .. }
            | Self::User => "",
        }
    }

    /// Returns whether the keyring holds a secret of it.
    #[must_use]
    pub const fn keeps_secret(&self) -> bool {
        !matches!(self, Self::ManagedIdentity { .. } | Self::TokenFile { .. })
    }
}

/// Where a user signs in.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Flow {
    /// In the browser of this machine.
    #[default]
    Browser,
    /// In a browser anywhere, with a code.
    DeviceCode,
    /// In a browser anywhere, by an address that is pasted.
    NoBrowser,
}

/// A profile.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Profile {
    /// Its name.
    pub name: ProfileName,
    /// The cloud.
    pub cloud: CloudName,
    /// The tenant that was signed in to.
    pub tenant: TenantId,
    /// Who signed in.
    pub account: Account,
    /// How.
    pub method: Method,
    /// Where, for a user, who also answers there what policies ask for later.
    #[serde(default)]
    pub flow: Flow,
    /// The digest of the variables that it was made of, for a pipeline that never signs in by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// Where its secrets are.
    pub keyring: Backend,
    /// What its keys are like.
    #[serde(default)]
    pub keys: KeyOptions,
    /// Other tenants that have issued it certificates, as a guest or as a multi-tenant application.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub guest_in: Vec<TenantId>,
}

impl Profile {
    /// Returns the name of one of its entries in the keyring, for the tenant that was signed in to.
    #[must_use]
    pub fn entry(&self, kind: Kind) -> EntryName {
        self.entry_in(kind, &self.tenant)
    }

    /// Returns the name of one of its entries in the keyring, for one tenant.
    #[must_use]
    pub fn entry_in(&self, kind: Kind, tenant: &TenantId) -> EntryName {
        let cloud = match &self.cloud {
            CloudName::BuiltIn(name) => name.clone(),
            CloudName::File(path) => path.display().to_string(),
        };
        let account = match kind {
            Kind::Certificate => self.account.to_string(),
            Kind::SignIn => format!("{}{}", self.account, self.method.suffix()),
        };
        EntryName::new(kind, &cloud, tenant.as_str(), &account)
    }

    /// Returns the names of all entries of the keyring that may be kept for it.
    pub fn entries(&self) -> impl Iterator<Item = EntryName> {
        self.tenants().flat_map(|tenant| {
            [Kind::SignIn, Kind::Certificate].map(|kind| self.entry_in(kind, tenant))
        })
    }

    /// Returns the tenants that something may be kept for, the one that was signed in to first.
    pub fn tenants(&self) -> impl Iterator<Item = &TenantId> {
        std::iter::once(&self.tenant).chain(&self.guest_in)
    }

    /// Returns whether this is the same sign-in, whatever tenants have issued certificates since.
    #[must_use]
    pub fn is_same_sign_in(&self, other: &Self) -> bool {
        let without_guests = |profile: &Self| Self {
            guest_in: Vec::new(),
            ..profile.clone()
        };
        without_guests(self) == without_guests(other)
    }
}
