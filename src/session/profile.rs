//! Profiles: one signed-in account in one cloud, under a name. What is secret about it is in the keyring.

mod key_options;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::cloud::{BUILT_IN, Cloud};
use crate::failure::{Failure, FailureKind, file_failure};
use crate::host::files::{self, Access};
use crate::host::paths::{self, Paths};
use crate::ids::{Account, ClientId, ProfileName, TenantId};
use crate::keyring::{Backend, EntryName, Kind};

pub(crate) use self::key_options::{KeyOptions, KeyType};

/// The longest file that is read here, in bytes.
const MAX_FILE_BYTES: usize = 64 * 1024;

/// Names a cloud: one of the built-in ones, or the file that describes it.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CloudName {
    /// `AzureCloud`, `AzureUSGovernment`, `AzureChinaCloud`.
    BuiltIn(String),
    /// A TOML file.
    File(PathBuf),
}

impl CloudName {
    /// Reads what `--cloud` says: a built-in name, or else a path.
    ///
    /// # Errors
    /// [`Failure`] if it is neither.
    pub fn parse(text: &str, current_folder: &Path) -> Result<Self, Failure> {
        if let Some(cloud) = Cloud::built_in(text) {
            return Ok(Self::BuiltIn(cloud.name));
        }
        let path = current_folder.join(text);
        paths::without_control_characters(&path)?;
        if path.is_file() {
            return Ok(Self::File(path));
        }
        Err(Failure::new(format!(
            "there is no cloud `{text}`, and no file of that name"
        ))
        .kind(FailureKind::Usage)
        .hint(format!(
            "use one of {}, or a cloud file",
            BUILT_IN.join(", ")
        )))
    }

    /// Returns the cloud.
    ///
    /// # Errors
    /// [`Failure`] if its file cannot be used.
    pub fn open(&self) -> Result<Cloud, Failure> {
        match self {
            Self::BuiltIn(name) => Cloud::built_in(name).ok_or_else(|| {
                Failure::new(format!("there is no cloud `{name}`")).hint(format!(
                    "use one of {}, or a cloud file",
                    BUILT_IN.join(", ")
                ))
            }),
            Self::File(path) => {
                let failed = |error: &io::Error| file_failure("read the cloud file", path, error);
                let text = files::read_text_if_there(path, MAX_FILE_BYTES)
                    .map_err(|error| failed(&error))?
                    .ok_or_else(|| failed(&io::ErrorKind::NotFound.into()))?;
                let folder = path.parent().unwrap_or(Path::new("/"));
                Cloud::parse(&text, folder).map_err(|error| {
                    Failure::from(error)
                        .within(format!("cannot use the cloud file `{}`", path.display()))
                })
            }
        }
    }
}

/// How a profile signs in.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// A service principal, by ID tokens of Azure Pipelines.
    AzurePipelines {
        /// The application.
        client_id: ClientId,
        /// The service connection.
        service_connection_id: String,
    },
    /// A service principal, by a certificate.
    ClientCertificate {
        /// The application.
        client_id: ClientId,
    },
    /// A service principal, by a client secret.
    ClientSecret {
        /// The application.
        client_id: ClientId,
    },
    /// A service principal, by ID tokens of GitHub Actions.
    GithubActions {
        /// The application.
        client_id: ClientId,
    },
    /// A service principal, by tokens of a managed identity that it trusts.
    ManagedIdentity {
        /// The application.
        client_id: ClientId,
        /// The user-assigned identity; the system's own if there is none.
        identity: Option<ClientId>,
    },
    /// A person, by a refresh token.
    Person,
    /// A service principal, by a token that something else keeps fresh in a file.
    TokenFile {
        /// The application.
        client_id: ClientId,
        /// The file.
        file: PathBuf,
    },
}

impl Method {
    /// Returns what tells apart what an application keeps that signs in in several ways, under a profile each.
    const fn suffix(&self) -> &'static str {
        match self {
            Self::AzurePipelines { .. } => " azure-pipelines",
            Self::ClientCertificate { .. } => " client-certificate",
            Self::GithubActions { .. } => " github-actions",
            Self::ClientSecret { .. }
            | Self::ManagedIdentity { .. }
            | Self::Person
            | Self::TokenFile { .. } => "",
        }
    }

    /// Tells whether something secret of it is in the keyring.
    #[must_use]
    pub const fn keeps_secret(&self) -> bool {
        !matches!(self, Self::ManagedIdentity { .. } | Self::TokenFile { .. })
    }
}

/// Where a person signs in.
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
    /// Where, for a person: what policies ask for later is asked for there too.
    #[serde(default)]
    pub flow: Flow,
    /// What the variables that it was made from said, if a pipeline never signed in by itself: their digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// Where its secrets are.
    pub keyring: Backend,
    /// What its keys are like.
    #[serde(default)]
    pub keys: KeyOptions,
    /// Other tenants that the account has been certified in, as a guest or as a multi-tenant application.
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

    /// Tells whether this is the same sign-in, wherever else the account has been certified since.
    #[must_use]
    pub fn is_same_sign_in(&self, other: &Self) -> bool {
        let without_guests = |profile: &Self| Self {
            guest_in: Vec::new(),
            ..profile.clone()
        };
        without_guests(self) == without_guests(other)
    }
}

/// The profiles of this user.
#[derive(Clone, Debug)]
pub struct Profiles {
    folder: PathBuf,
}

impl Profiles {
    /// Returns the profiles that lie under these paths.
    #[must_use]
    pub fn new(paths: &Paths) -> Self {
        Self {
            folder: paths.config.join("profiles"),
        }
    }

    /// Loads a profile.
    ///
    /// # Errors
    /// [`Failure`] of the kind `SignInNeeded` if there is none of that name.
    pub fn load(&self, name: &ProfileName) -> Result<Profile, Failure> {
        let path = self.path(name);
        let text = files::read_text_if_there(&path, MAX_FILE_BYTES)
            .map_err(|error| file_failure("read the profile", &path, &error))?
            .ok_or_else(|| {
                Failure::new(format!("nobody is signed in as the profile `{name}`"))
                    .kind(FailureKind::SignInNeeded)
                    .hint(format!("sign in: {}", login_command(name)))
            })?;
        serde_json::from_str(&text).map_err(|error| {
            Failure::new(format!("the profile `{}` cannot be read", path.display()))
                .caused_by(&error)
                .hint(format!("sign in: {}", login_command(name)))
        })
    }

    /// Saves a profile in place of the one of that name.
    ///
    /// # Errors
    /// [`Failure`] if the file cannot be written.
    pub fn save(&self, profile: &Profile) -> Result<(), Failure> {
        let path = self.path(&profile.name);
        let text = serde_json::to_vec_pretty(profile).unwrap_or_default();
        files::make_private_folder(&self.folder)
            .and_then(|()| files::write(&path, &text, Access::Private))
            .map_err(|error| {
                file_failure("write the profile", &path, &error).hint(
                    "set HOME, or XDG_CONFIG_HOME, to a folder that you can write to: export HOME=/tmp/home-$(id -u)",
                )
            })
    }

    /// Notes that an account has been certified in a tenant that it is a guest of, so that what is kept for it is found again.
    /// Call it under the lock that certificates of the profile are issued under.
    ///
    /// # Errors
    /// [`Failure`] if the file cannot be read or written.
    pub fn note_guest(&self, name: &ProfileName, tenant: &TenantId) -> Result<(), Failure> {
        let mut profile = self.load(name)?;
        if profile.tenants().any(|known| known == tenant) {
            return Ok(());
        }
        profile.guest_in.push(tenant.clone());
        self.save(&profile)
    }

    /// Removes a profile.
    ///
    /// # Errors
    /// [`Failure`] if the file cannot be removed.
    pub fn remove(&self, name: &ProfileName) -> Result<(), Failure> {
        let path = self.path(name);
        files::remove_if_there(&path)
            .map_err(|error| file_failure("remove the profile", &path, &error))
    }

    /// Returns the names of all profiles, sorted.
    ///
    /// # Errors
    /// [`Failure`] if the folder is there and cannot be read.
    pub fn names(&self) -> Result<Vec<ProfileName>, Failure> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(file_failure("read the folder", &self.folder, &error)),
        };
        let mut names: Vec<ProfileName> = entries
            .filter_map(|entry| {
                let name = entry.ok()?.file_name();
                name.to_str()?.strip_suffix(".json")?.parse().ok()
            })
            .collect();
        names.sort();
        Ok(names)
    }

    /// Returns the profiles but this one, as far as they can be read.
    ///
    /// # Errors
    /// [`Failure`] if the folder is there and cannot be read.
    pub fn others(&self, name: &ProfileName) -> Result<Others, Failure> {
        let names = self.names()?.into_iter().filter(|other| other != name);
        Ok(Others(
            names.filter_map(|name| self.load(&name).ok()).collect(),
        ))
    }

    fn path(&self, name: &ProfileName) -> PathBuf {
        self.folder.join(format!("{name}.json"))
    }
}

/// The other profiles of this user. Entries of the keyring are named by account and tenant, so that profiles of one account
/// share them.
#[derive(Clone, Debug)]
pub struct Others(Vec<Profile>);

impl Others {
    /// Returns the profile that needs this entry of a keyring, if one does.
    #[must_use]
    pub fn needing(&self, keyring: Backend, entry: &EntryName) -> Option<&ProfileName> {
        let needs = |other: &&Profile| {
            other.keyring == keyring && other.entries().any(|needed| needed == *entry)
        };
        self.0.iter().find(needs).map(|other| &other.name)
    }

    /// Tells whether one of them is of this account in this tenant.
    #[must_use]
    pub fn use_account(&self, profile: &Profile, tenant: &TenantId) -> bool {
        self.0.iter().any(|other| {
            other.account == profile.account && other.tenants().any(|theirs| theirs == tenant)
        })
    }
}

/// Returns the command that signs a profile in.
#[must_use]
pub(crate) fn login_command(name: &ProfileName) -> String {
    command(name, "login")
}

/// Returns a command of ours for a profile.
#[must_use]
pub(crate) fn command(name: &ProfileName, rest: &str) -> String {
    if *name == ProfileName::default() {
        format!("entra-ssh {rest}")
    } else {
        format!("entra-ssh --profile {name} {rest}")
    }
}
