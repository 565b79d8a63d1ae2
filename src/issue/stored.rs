//! What the keyring holds of keys and certificates.

use std::sync::Arc;

use crate::certificate::{Certificate, KeyPair, Unverified};
use crate::issue::issued::Issued;
use crate::keyring::entry::Entry;
use crate::keyring::{KeyringError, Kind};
use crate::secret::SecretBytes;
use crate::session::{ProfileLock, Session};
use crate::time::UnixTime;

/// Returns the key and the certificate that the keyring holds, if the certificate is valid now. One that is not, or that
/// cannot be read, is not an error: a new one replaces it.
///
/// # Errors
/// [`KeyringError`] if the keyring cannot be read.
pub(crate) async fn stored(session: &Session) -> Result<Option<Issued>, KeyringError> {
    let Some((key, certificate)) = load(session).await? else {
        return Ok(None);
    };
    Ok(read(key, &certificate, session.clock.now()))
}

/// Returns the certificate that the keyring holds, whether it is valid now or has expired.
///
/// # Errors
/// [`KeyringError`] if the keyring cannot be read.
pub(crate) async fn stored_unverified(
    session: &Session,
) -> Result<Option<Unverified>, KeyringError> {
    let stored = load(session).await?;
    Ok(stored.and_then(|(_, certificate)| Unverified::from_blob(&certificate).ok()))
}

async fn load(session: &Session) -> Result<Option<(SecretBytes, Vec<u8>)>, KeyringError> {
    let name = session.entry(Kind::Certificate);
    let Some(bytes) = session.keyring().load(&name).await? else {
        return Ok(None);
    };
    Ok(match Entry::decode(&name, &bytes) {
        Ok(Entry::Certificate { key, certificate }) => Some((key, certificate)),
        _ => None,
    })
}

fn read(key: SecretBytes, certificate: &[u8], now: UnixTime) -> Option<Issued> {
    let key_pair = KeyPair::from_private_key(key).ok()?;
    let certificate = Unverified::from_blob(certificate)
        .and_then(|unverified| unverified.verify(now, key_pair.public_key()))
        .ok()?;
    Some(Issued {
        key_pair: Arc::new(key_pair),
        certificate,
        obtained: now,
    })
}

/// Stores a key and its certificate. What cannot be stored is held in memory.
pub(super) async fn store(
    session: &Session,
    lock: &ProfileLock,
    key_pair: KeyPair,
    certificate: Certificate,
) -> Issued {
    let entry = Entry::Certificate {
        key: key_pair.private_key().clone(),
        certificate: certificate.blob().to_vec(),
    };
    // The tenant first: logout finds what is stored by what the profile records, so that what cannot be recorded is not
    // stored, either.
    match session.record_tenant(lock) {
        Ok(()) => {
            let name = session.entry(Kind::Certificate);
            session.store(&name, entry).await;
        }
        Err(error) => {
            tracing::warn!(%error, "holds in memory what the profile does not record");
        }
    }
    Issued {
        key_pair: Arc::new(key_pair),
        certificate,
        obtained: session.clock.now(),
    }
}
