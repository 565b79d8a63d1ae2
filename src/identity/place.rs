use crate::ssh_config::Identity;

/// A place for key and certificate besides our own agent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Place {
    /// Files that only the user may read.
    Files,
    /// The user's own agent, at `SSH_AUTH_SOCK`; the public key and the certificate are in files as well.
    UserAgent,
}

impl Place {
    /// Returns where entra-ssh keeps the key and the certificate of a managed host; `None` if they are in our agent, or the key
    /// is the user's.
    pub(crate) const fn of(identity: Identity) -> Option<Self> {
        match identity {
            Identity::Agent | Identity::Own | Identity::PublicKey => None,
            Identity::File => Some(Self::Files),
            Identity::SystemAgent => Some(Self::UserAgent),
        }
    }
}
