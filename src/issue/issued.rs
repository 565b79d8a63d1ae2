use std::sync::Arc;

use crate::certificate::{Certificate, KeyPair, Lifetime, RenewWhen};
use crate::time::UnixTime;

/// A key pair and its certificate.
#[derive(Clone, Debug)]
pub(crate) struct Issued {
    pub key_pair: Arc<KeyPair>,
    pub certificate: Certificate,
    /// When this process issued or loaded it.
    pub obtained: UnixTime,
}

impl Issued {
    /// Returns the life of the certificate.
    #[must_use]
    pub(crate) fn lifetime(&self) -> Lifetime {
        Lifetime::of(&self.certificate, self.obtained)
    }

    #[must_use]
    pub(crate) fn is_due(&self, now: UnixTime) -> bool {
        self.lifetime().needs_renewal(RenewWhen::Due, now)
    }

    #[must_use]
    pub(crate) fn is_live(&self, now: UnixTime) -> bool {
        self.lifetime().is_live(now)
    }
}
