use crate::keyring::entry::Entry;
use crate::session::profile::Profile;

/// The account that the name of a profile stands for.
#[derive(Clone, Debug)]
pub enum AccountSource {
    /// One that the variables of a process name.
    Environment(EnvironmentIdentity),
    /// One that is signed in.
    Stored(Profile),
}

impl AccountSource {
    /// Returns its profile.
    #[must_use]
    pub const fn profile(&self) -> &Profile {
        match self {
            Self::Environment(identity) => &identity.profile,
            Self::Stored(profile) => profile,
        }
    }
}

impl From<EnvironmentIdentity> for AccountSource {
    fn from(identity: EnvironmentIdentity) -> Self {
        Self::Environment(identity)
    }
}

impl From<Profile> for AccountSource {
    fn from(profile: Profile) -> Self {
        Self::Stored(profile)
    }
}

/// An account that the variables of a process name, which is stored nowhere: neither its secret nor its certificates.
#[derive(Clone, Debug)]
pub struct EnvironmentIdentity {
    /// The profile that it stands in for.
    pub profile: Profile,
    /// What proves who it is, unless something else keeps that.
    pub entry: Option<Entry>,
}
