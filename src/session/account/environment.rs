use crate::keyring::entry::Entry;
use crate::session::profile::Profile;

/// An account that the variables of a process name, which is stored nowhere: neither its secret nor its certificates.
#[derive(Clone, Debug)]
pub struct EnvironmentIdentity {
    /// The profile that it stands in for.
    pub profile: Profile,
    /// What proves who it is, unless something else keeps that.
    pub entry: Option<Entry>,
}
