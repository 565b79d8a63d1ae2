//! Sessions with Entra: profiles, and the accounts that they sign in to.

mod account;
mod challenge;
mod cloud_name;
mod error;
mod key_options;
mod lock;
mod profile;
mod profiles;

pub use self::account::Session;
pub(crate) use self::account::environment::{AccountSource, EnvironmentIdentity};
pub(crate) use self::challenge::Challenge;
pub(crate) use self::cloud_name::CloudName;
pub(crate) use self::error::{
    ClockSkew, CloudNameError, LockError, ProfileError, Retry, SessionError, UserAction,
};
pub(crate) use self::key_options::{KeyOptions, KeyType};
pub(crate) use self::lock::{ProfileLock, SharedEntriesLock};
pub(crate) use self::profile::{Flow, Method, Profile};
pub(crate) use self::profiles::Others;
pub use self::profiles::Profiles;
