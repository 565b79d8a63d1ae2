//! Having Entra issue certificates.

use crate::certificate::{Certificate, PublicKey, Unverified};
use crate::entra::{CertificateRequest, EntraError, Meaning, Wanted};
use crate::issue::error::{IssueError, KeyOwner};
use crate::issue::issued::Issued;
use crate::issue::spare_keys::SpareKeys;
use crate::issue::stored::{store, stored};
use crate::session::{Session, SessionError};

/// Acquires a certificate for a public key and verifies it; stores nothing.
///
/// # Errors
/// [`IssueError`] if Entra refuses, or if what it issues is not a certificate for this key.
pub async fn certify(session: &Session, key: &PublicKey) -> Result<Certificate, IssueError> {
    certify_of(KeyOwner::User, session, key).await
}

async fn certify_of(
    owner: KeyOwner,
    session: &Session,
    key: &PublicKey,
) -> Result<Certificate, IssueError> {
    let request = CertificateRequest::new(key)?;
    let tokens = session
        .acquire(Wanted::Certificate(&request))
        .await
        .map_err(|source| {
            if refuses_kind(&source, key) {
                IssueError::KeyKind {
                    algorithm: key.algorithm(),
                    owner,
                    source,
                }
            } else {
                IssueError::Session(source)
            }
        })?;
    let unverified = Unverified::from_base64(tokens.access_token.expose())?;
    let certificate = unverified
        .verify(session.clock.now(), key)
        .map_err(|source| IssueError::Certificate {
            source,
            clock: session.clock_skew(),
        })?;
    certificate.check_tenant(&session.tenant)?;
    Ok(certificate)
}

/// Returns whether Entra has refused a key because of its kind. It says no more then than that the key is weak, or that the
/// request is malformed.
fn refuses_kind(error: &SessionError, key: &PublicKey) -> bool {
    let refuses_key = matches!(
        error,
        SessionError::Entra { source: EntraError::Refused(refusal), .. }
            if matches!(refusal.meaning, Some(Meaning::KeyTooShort | Meaning::RequestMalformed))
    );
    key.rsa_bits().is_none() && refuses_key
}

/// Returns the stored certificate if it `is_good`, or a new one. Of any number of processes at once, one acquires it and the
/// others find what that one stored.
///
/// # Errors
/// As [`certify`], and if another process keeps the lock.
pub(crate) async fn fresh(
    session: &Session,
    keys: &SpareKeys,
    is_good: impl Fn(&Issued) -> bool,
) -> Result<Issued, IssueError> {
    if let Some(issued) = stored(session).await?.filter(&is_good) {
        return Ok(issued);
    }
    let lock = session.lock_to_issue().await?;
    if let Some(issued) = stored(session).await?.filter(&is_good) {
        return Ok(issued);
    }
    tracing::info!(
        account = session.profile.account.as_str(),
        tenant = session.tenant.as_str(),
        "acquires a certificate"
    );
    let key_pair = keys.take(session.profile.keys.kind()).await?;
    match certify_of(KeyOwner::Profile, session, key_pair.public_key()).await {
        Ok(certificate) => Ok(store(session, &lock, key_pair, certificate).await),
        Err(error) => {
            // The next certificate can have it.
            keys.give_back(key_pair);
            Err(error)
        }
    }
}
