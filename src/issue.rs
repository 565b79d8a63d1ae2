//! Issuing certificates: a key, a token request, verification, the keyring; one at a time, however many ask.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::certificate::{Certificate, KeyPair, PublicKey, RSA_BITS, Unverified};
use crate::entra::{CertificateRequest, Wanted};
use crate::failure::Failure;
use crate::host::lock::Lock;
use crate::keyring::Kind;
use crate::keyring::entry::Entry;
use crate::profile::Profile;
use crate::secret::SecretBytes;
use crate::sign_in::SignIn;
use crate::time::UnixTime;

/// A certificate is renewed when less than this is left of it, or less than a third of its life if that is shorter.
const RENEWAL_MARGIN: Duration = Duration::from_secs(600);
/// A certificate with less than this left, or less than a sixth of its life if that is shorter, is not counted on.
const URGENT_MARGIN: Duration = Duration::from_secs(60);
/// How long the renewal of another process is waited for.
const LOCK_PATIENCE: Duration = Duration::from_secs(60);

/// A key pair and its certificate.
#[derive(Clone, Debug)]
pub struct Issued {
    /// The key pair.
    pub key_pair: Arc<KeyPair>,
    /// Its certificate.
    pub certificate: Certificate,
}

impl Issued {
    /// Tells whether it is time for the next one.
    #[must_use]
    pub fn is_due(&self, now: UnixTime) -> bool {
        let (from, to) = self.certificate.validity();
        let margin = RENEWAL_MARGIN.min(to.since(from) / 3);
        now.after(margin) >= to
    }

    /// Tells whether it ends so soon that a login could fail with it: the next one is to be waited for.
    #[must_use]
    pub fn is_urgent(&self, now: UnixTime) -> bool {
        let (from, to) = self.certificate.validity();
        let margin = URGENT_MARGIN.min(to.since(from) / 6);
        now.after(margin) >= to
    }

    /// Tells whether it can still be used.
    #[must_use]
    pub fn is_live(&self, now: UnixTime) -> bool {
        now < self.certificate.validity().1
    }
}

/// Returns what the keyring holds, if it can be used now.
///
/// # Errors
/// [`Failure`] if the keyring cannot be read. What does not hold (any more) is not an error: a new certificate takes its
/// place.
pub async fn stored(sign_in: &SignIn) -> Result<Option<Issued>, Failure> {
    let name = sign_in.entry(Kind::Certificate);
    let Some(bytes) = sign_in.keyring.load(&name).await? else {
        return Ok(None);
    };
    let Ok(Entry::Certificate { pkcs1, certificate }) = Entry::decode(&name, &bytes) else {
        return Ok(None);
    };
    Ok(read(pkcs1, &certificate, sign_in.clock.now()))
}

fn read(pkcs1: SecretBytes, certificate: &[u8], now: UnixTime) -> Option<Issued> {
    let key_pair = KeyPair::from_pkcs1_der(pkcs1).ok()?;
    let certificate = Unverified::from_blob(certificate)
        .and_then(|unverified| unverified.verify(now, key_pair.public_key()))
        .ok()?;
    Some(Issued {
        key_pair: Arc::new(key_pair),
        certificate,
    })
}

/// Issues a certificate for a public key, verifies it, and stores nothing.
///
/// # Errors
/// [`Failure`] if Entra refuses or what it returns does not hold.
pub async fn certify(sign_in: &SignIn, key: &PublicKey) -> Result<Certificate, Failure> {
    let request = CertificateRequest::new(key)?;
    let tokens = sign_in.buy(Wanted::Certificate(&request)).await?;
    let unverified = Unverified::from_base64(tokens.access_token.expose())?;
    unverified
        .verify(sign_in.clock.now(), key)
        .map_err(|error| sign_in.blame_the_clock(error.into()))
}

/// Issues a certificate for a key pair (a new one if there is none at hand), verifies it, and stores both.
///
/// # Errors
/// As [`certify`], and if the keyring does not take it.
pub async fn issue(sign_in: &SignIn, spare: Option<KeyPair>) -> Result<Issued, Failure> {
    let _lock = lock(&sign_in.locks, &sign_in.profile).await?;
    issue_locked(sign_in, spare).await
}

/// Returns a certificate that is not due: the stored one, or a new one. Of any number of processes that ask at once, one
/// issues and the others find what it stored.
///
/// # Errors
/// As [`issue`], unless the stored certificate still lives: then that is returned.
pub async fn fresh(
    sign_in: &SignIn,
    spare: impl FnOnce() -> Option<KeyPair>,
) -> Result<Issued, Failure> {
    let found = stored(sign_in).await?;
    if let Some(issued) = found.filter(|issued| !issued.is_due(sign_in.clock.now())) {
        return Ok(issued);
    }
    let _lock = lock(&sign_in.locks, &sign_in.profile).await?;
    let found = stored(sign_in).await?;
    match found {
        Some(issued) if !issued.is_due(sign_in.clock.now()) => Ok(issued),
        Some(old) => match issue_locked(sign_in, spare()).await {
            Ok(issued) => Ok(issued),
            Err(_) if old.is_live(sign_in.clock.now()) => Ok(old),
            Err(failure) => Err(failure),
        },
        None => issue_locked(sign_in, spare()).await,
    }
}

async fn issue_locked(sign_in: &SignIn, spare: Option<KeyPair>) -> Result<Issued, Failure> {
    let key_pair = match spare {
        Some(key_pair) => key_pair,
        None => make_key_pair().await?,
    };
    tracing::info!(
        account = sign_in.profile.account.as_str(),
        tenant = sign_in.tenant.as_str(),
        "has a key certified"
    );
    let certificate = certify(sign_in, key_pair.public_key()).await?;
    let entry = Entry::Certificate {
        pkcs1: key_pair.pkcs1_der().clone(),
        certificate: certificate.blob().to_vec(),
    };
    let name = sign_in.entry(Kind::Certificate);
    // Noted first: what is kept is to be found when somebody signs out.
    if sign_in.tenant != sign_in.profile.tenant {
        sign_in
            .profiles
            .note_guest(&sign_in.profile.name, &sign_in.tenant)?;
    }
    sign_in.keyring.save(&name, entry.encode()).await?;
    Ok(Issued {
        key_pair: Arc::new(key_pair),
        certificate,
    })
}

/// Makes a key pair, off the runtime's thread.
///
/// # Errors
/// [`Failure`] if the system gives no random numbers.
pub async fn make_key_pair() -> Result<KeyPair, Failure> {
    let made = tokio::task::spawn_blocking(|| KeyPair::generate(RSA_BITS)).await;
    let made = made.map_err(|error| Failure::new("cannot make a key pair").caused_by(&error))?;
    Ok(made?)
}

/// Takes the lock that renewals of a profile are made under.
///
/// # Errors
/// [`Failure`] if another process keeps it for longer than a renewal takes.
pub async fn lock(folder: &Path, profile: &Profile) -> Result<Lock, Failure> {
    let name = format!("issue-{}", profile.name);
    Lock::take(folder, &name, LOCK_PATIENCE)
        .await
        .map_err(|error| {
            Failure::new("cannot take the lock for issuing a certificate")
                .caused_by(&error)
                .hint("see which entra-ssh hangs: ps -C entra-ssh")
        })
}
