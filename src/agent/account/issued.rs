use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::certificate::KeyPair;
use crate::issue::Issued;
use crate::time::UnixTime;

/// How many certificates that a new one has replaced are held for one account.
const MAX_REPLACED: usize = 16;

/// The certificates of one account in one tenant, with their keys.
#[derive(Debug, Default)]
pub(in super::super) struct IssuedCertificates {
    /// The newest first. Those that it has replaced still sign: a login under way has been offered one of them.
    all: Mutex<Vec<Issued>>,
    is_used: AtomicBool,
    is_withdrawn: AtomicBool,
}

impl IssuedCertificates {
    pub(in super::super) fn newest(&self) -> Option<Issued> {
        self.lock().first().cloned()
    }

    /// Holds a new certificate, and no longer those that have expired.
    pub(in super::super) fn hold(&self, issued: Issued, now: UnixTime) {
        let mut all = self.lock();
        all.retain(|held| {
            held.is_live(now) && held.certificate.blob() != issued.certificate.blob()
        });
        if !all.is_empty() {
            // Only later requests are a reason for the next renewal.
            self.is_used.store(false, Ordering::Relaxed);
        }
        all.insert(0, issued);
        all.truncate(1 + MAX_REPLACED);
    }

    /// Returns the key pair of a key blob or certificate blob.
    pub(in super::super) fn key_pair(&self, blob: &[u8]) -> Option<Arc<KeyPair>> {
        let all = self.lock();
        let mut all = all.iter();
        let held = all.find(|held| {
            held.certificate.blob() == blob || held.key_pair.public_key().blob() == blob
        });
        held.map(|held| Arc::clone(&held.key_pair))
    }

    /// Records a request for the certificate: the agent does not renew one that is not used.
    pub(in super::super) fn record_use(&self) {
        self.is_used.store(true, Ordering::Relaxed);
    }

    /// Returns whether the certificate was requested since it was issued.
    pub(in super::super) fn is_used(&self) -> bool {
        self.is_used.load(Ordering::Relaxed)
    }

    /// Forgets keys and certificates, and hides the account from ssh until one of our own programs asks for it.
    pub(in super::super) fn withdraw(&self) {
        self.is_withdrawn.store(true, Ordering::Relaxed);
        self.lock().clear();
    }

    /// Shows the account to ssh again.
    pub(in super::super) fn restore(&self) {
        self.is_withdrawn.store(false, Ordering::Relaxed);
    }

    pub(in super::super) fn is_withdrawn(&self) -> bool {
        self.is_withdrawn.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Issued>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
