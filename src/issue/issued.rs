use std::sync::Arc;

use crate::certificate::{Certificate, KeyPair, Lifetime, RenewWhen};
use crate::time::UnixTime;

/// A key pair and its certificate.
#[derive(Clone, Debug)]
pub(crate) struct Issued {
    /// The key pair.
    pub key_pair: Arc<KeyPair>,
    /// Its certificate.
    pub certificate: Certificate,
    /// When this process got hold of it.
    pub obtained: UnixTime,
}

impl Issued {
    /// Returns the life of the certificate.
    #[must_use]
    pub(crate) fn lifetime(&self) -> Lifetime {
        Lifetime::of(&self.certificate, self.obtained)
    }

    /// Tells whether the certificate is due for renewal.
    #[must_use]
    pub(crate) fn is_due(&self, now: UnixTime) -> bool {
        self.lifetime().needs_renewal(RenewWhen::Due, now)
    }

    /// Tells whether the certificate has not expired.
    #[must_use]
    pub(crate) fn is_live(&self, now: UnixTime) -> bool {
        self.lifetime().is_live(now)
    }
}
