//! Sessions with Entra: profiles, and the accounts that they sign in to.

mod account;
mod challenge;
mod cloud_name;
mod error;
mod key_options;
mod lock;
mod profile;
mod profiles;
mod proof;
mod sign_in;
mod variables;

pub use self::account::Session;
pub(crate) use self::account::environment::{AccountSource, EnvironmentIdentity};
pub(crate) use self::challenge::Challenge;
pub(crate) use self::cloud_name::CloudName;
pub(crate) use self::error::{
    ClockSkew, CloudNameError, LockError, ProfileError, ProofError, Retry, SessionError,
    UserAction, VariablesError,
};
pub(crate) use self::key_options::{KeyOptions, KeyType};
pub(crate) use self::lock::ProfileLock;
pub(crate) use self::profile::{Flow, Method, Profile};
pub(crate) use self::profiles::Others;
pub use self::profiles::Profiles;
pub(crate) use self::proof::{
    azure_pipelines, github_actions, is_cloud_shell, managed_identity, offers_managed_identity,
    read_certificate, token_file,
};
pub(crate) use self::sign_in::{Copies, SignedIn, SignedOut, StoredEntry, sign_out};
pub(crate) use self::variables::Variables;
