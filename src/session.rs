//! Sessions with Entra: profiles, and the accounts that they sign in to.

mod account;
mod cloud_name;
mod key_options;
mod profile;
mod profiles;

pub use self::account::Session;
pub(crate) use self::account::environment::{AccountSource, EnvironmentIdentity};
pub(crate) use self::cloud_name::CloudName;
pub(crate) use self::key_options::{KeyOptions, KeyType};
pub(crate) use self::profile::{Flow, Method, Profile, login_command};
pub(crate) use self::profiles::Others;
pub use self::profiles::Profiles;
