//! Issuing certificates: a key, a token request, verification, the keyring; one at a time, however many ask.

mod spare_keys;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::certificate::{Certificate, KeyPair, PublicKey, Unverified};
use crate::entra::{CertificateRequest, Wanted};
use crate::failure::{Failure, place_failure};
use crate::host::files;
use crate::host::lock::Lock;
use crate::keyring::Kind;
use crate::keyring::entry::Entry;
use crate::secret::SecretBytes;
use crate::session::{Profile, Session};
use crate::time::UnixTime;

pub(crate) use self::spare_keys::SpareKeys;

/// A certificate is renewed when less than this is left of it, or less than a third of its life if that is shorter.
const RENEWAL_MARGIN: Duration = Duration::from_secs(600);
/// A certificate with less than this left, or less than a sixth of its life if that is shorter, is not counted on.
const URGENT_MARGIN: Duration = Duration::from_secs(60);
/// How far before its issue Entra lets a certificate become valid, for clocks that are behind.
const BACKDATED: Duration = Duration::from_secs(300);
/// How long the renewal of another process is waited for.
const LOCK_PATIENCE: Duration = Duration::from_secs(60);

/// What Entra says of keys that it does not certify, and of other things.
const REFUSES_KEYS: [&str; 2] = ["AADSTS9002313", "AADSTS50032"];

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
    /// Tells whether it is time for the next one.
    #[must_use]
    pub(crate) fn is_due(&self, now: UnixTime) -> bool {
        now.after(self.renewal_margin()) >= self.certificate.validity().1
    }

    /// Returns how long before its end it is time for the next one.
    #[must_use]
    pub(crate) fn renewal_margin(&self) -> Duration {
        renewal_margin(&self.certificate, self.obtained)
    }

    /// Tells whether it ends so soon that a login could fail with it: the next one is to be waited for.
    #[must_use]
    pub(crate) fn is_urgent(&self, now: UnixTime) -> bool {
        let (from, to) = self.certificate.validity();
        now.after(URGENT_MARGIN.min(life((from, to), self.obtained) / 6)) >= to
    }

    /// Tells whether it can still be used.
    #[must_use]
    pub(crate) fn is_live(&self, now: UnixTime) -> bool {
        now < self.certificate.validity().1
    }
}

/// Returns how long before its end it is time for the next certificate, given when we obtained this one.
#[must_use]
pub(crate) fn renewal_margin(certificate: &Certificate, obtained: UnixTime) -> Duration {
    RENEWAL_MARGIN.min(life(certificate.validity(), obtained) / 3)
}

/// Returns how long a certificate lasts from its issue on, given when we obtained it. Its first five minutes lie before its
/// issue ([`BACKDATED`]): of one that lasts a minute they would be most of its life. One that was read from the keyring was
/// issued long before we obtained it.
fn life((from, to): (UnixTime, UnixTime), obtained: UnixTime) -> Duration {
    to.since(obtained.clamp(from, from.after(BACKDATED)))
}

/// Returns what the keyring holds, if it can be used now.
///
/// # Errors
/// [`Failure`] if the keyring cannot be read. What does not hold (any more) is not an error: a new certificate takes its
/// place.
pub(crate) async fn stored(session: &Session) -> Result<Option<Issued>, Failure> {
    let name = session.entry(Kind::Certificate);
    let Some(bytes) = session.keyring().load(&name).await? else {
        return Ok(None);
    };
    let Ok(Entry::Certificate { key, certificate }) = Entry::decode(&name, &bytes) else {
        return Ok(None);
    };
    Ok(read(key, &certificate, session.clock.now()))
}

/// Returns the certificate that the keyring holds, whether it can be used now or not: it may have expired.
///
/// # Errors
/// [`Failure`] if the keyring cannot be read.
pub(crate) async fn kept(session: &Session) -> Result<Option<Unverified>, Failure> {
    let name = session.entry(Kind::Certificate);
    let Some(bytes) = session.keyring().load(&name).await? else {
        return Ok(None);
    };
    let Ok(Entry::Certificate { certificate, .. }) = Entry::decode(&name, &bytes) else {
        return Ok(None);
    };
    Ok(Unverified::from_blob(&certificate).ok())
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

/// Issues a certificate for a public key, verifies it, and stores nothing.
///
/// # Errors
/// [`Failure`] if Entra refuses or what it returns does not hold.
pub async fn certify(session: &Session, key: &PublicKey) -> Result<Certificate, Failure> {
    let request = CertificateRequest::new(key)?;
    let outcome = session.acquire(Wanted::Certificate(&request)).await;
    let tokens = outcome.map_err(|failure| {
        if !is_refused_for_its_kind(&failure, key) {
            return failure;
        }
        let error = format!("Entra does not certify `{}` keys yet", key.algorithm());
        failure
            .within(error)
            .hint("use an RSA key: ssh-keygen -t rsa -b 3072")
    })?;
    let unverified = Unverified::from_base64(tokens.access_token.expose())?;
    let certificate = unverified
        .verify(session.clock.now(), key)
        .map_err(|error| session.blame_the_clock(error.into()))?;
    certificate.check_tenant(&session.tenant)?;
    Ok(certificate)
}

/// Tells whether Entra has refused a key because of its kind. It says no more then than that the request is malformed, or
/// that the key is weak.
fn is_refused_for_its_kind(failure: &Failure, key: &PublicKey) -> bool {
    let code = failure.code.as_deref();
    key.rsa_bits().is_none() && code.is_some_and(|code| REFUSES_KEYS.contains(&code))
}

/// Returns the stored certificate if it `is_good`, or a new one. Of any number of processes that ask at once, one issues and
/// the others find what it stored.
///
/// # Errors
/// As [`certify`], and if the keyring does not take it, or another process keeps the lock.
pub(crate) async fn fresh(
    session: &Session,
    keys: &SpareKeys,
    is_good: impl Fn(&Issued) -> bool,
) -> Result<Issued, Failure> {
    if let Some(issued) = stored(session).await?.filter(&is_good) {
        return Ok(issued);
    }
    let _lock = lock_for(session).await?;
    if let Some(issued) = stored(session).await?.filter(&is_good) {
        return Ok(issued);
    }
    tracing::info!(
        account = session.profile.account.as_str(),
        tenant = session.tenant.as_str(),
        "has a key certified"
    );
    let key_pair = keys.take(session.profile.keys.kind()).await?;
    match certify(session, key_pair.public_key()).await {
        Ok(certificate) => keep(session, key_pair, certificate).await,
        Err(failure) => {
            let is_refused_for_its_kind = is_refused_for_its_kind(&failure, key_pair.public_key());
            // It has no certificate, and is as good as new.
            keys.give_back(key_pair);
            Err(if is_refused_for_its_kind {
                failure.hint("use RSA keys: entra-ssh cert --key-type rsa")
            } else {
                failure
            })
        }
    }
}

async fn keep(
    session: &Session,
    key_pair: KeyPair,
    certificate: Certificate,
) -> Result<Issued, Failure> {
    let entry = Entry::Certificate {
        key: key_pair.private_key().clone(),
        certificate: certificate.blob().to_vec(),
    };
    let name = session.entry(Kind::Certificate);
    // Noted first: what is kept is to be found when somebody signs out. Where it cannot be noted, it is not kept, either.
    let is_guest = session.tenant != session.profile.tenant && session.is_stored();
    let note = || {
        let profile = &session.profile.name;
        session.profiles.note_guest(profile, &session.tenant)
    };
    match if is_guest { note() } else { Ok(()) } {
        Ok(()) => session.store(&name, entry).await,
        Err(error) => tracing::warn!(%error, "holds in memory what cannot be noted"),
    }
    Ok(Issued {
        key_pair: Arc::new(key_pair),
        certificate,
        obtained: session.clock.now(),
    })
}

/// Takes the lock that renewals of an account are made under; none is needed for one that other processes find nothing of.
///
/// # Errors
/// As [`lock`].
pub(crate) async fn lock_for(session: &Session) -> Result<Option<Lock>, Failure> {
    if !session.is_stored() {
        return Ok(None);
    }
    let name = lock_name(&session.profile);
    match Lock::take(&session.locks, &name, LOCK_PATIENCE).await {
        // Two processes may issue at once then, and the later certificate stays: better than none.
        Err(error) if files::cannot_be_written(&error) => {
            tracing::warn!(%error, "issues without a lock");
            Ok(None)
        }
        taken => taken
            .map(Some)
            .map_err(|error| lock_failure(&session.locks, &name, &error)),
    }
}

/// Takes the lock that renewals of a profile are made under.
///
/// # Errors
/// [`Failure`] if another process keeps it for longer than a renewal takes.
pub(crate) async fn lock(folder: &Path, profile: &Profile) -> Result<Lock, Failure> {
    let name = lock_name(profile);
    Lock::take(folder, &name, LOCK_PATIENCE)
        .await
        .map_err(|error| lock_failure(folder, &name, &error))
}

fn lock_name(profile: &Profile) -> String {
    format!("issue-{}", profile.name)
}

fn lock_failure(folder: &Path, name: &str, error: &io::Error) -> Failure {
    let failure = place_failure("cannot take the lock for issuing a certificate", error);
    if error.kind() != io::ErrorKind::TimedOut {
        return failure;
    }
    failure.hint(match Lock::owner(folder, name) {
        Some(process) => format!("see what it does, and end it if it hangs: kill {process}"),
        None => "see which entra-ssh hangs: ps -C entra-ssh".to_owned(),
    })
}

/// Takes the lock under which entries are stored and removed that profiles of one account share. It is taken after the one of
/// [`lock`].
///
/// # Errors
/// [`Failure`] if another process keeps it for longer than that takes.
pub(crate) async fn lock_shared_entries(folder: &Path) -> Result<Lock, Failure> {
    Lock::take(folder, "shared-entries", LOCK_PATIENCE)
        .await
        .map_err(|error| {
            place_failure(
                "cannot take the lock for the entries of the keyring",
                &error,
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn life_of(before: u64, lasts: u64, obtained: u64) -> u64 {
        let validity = (
            UnixTime::from_seconds(NOW - before),
            UnixTime::from_seconds(NOW + lasts),
        );
        life(validity, UnixTime::from_seconds(obtained)).as_secs()
    }

    #[test]
    fn the_five_minutes_before_its_issue_are_no_part_of_a_certificates_life() {
        for lasts in [10, 60, 300, 3_600] {
            assert_eq!(life_of(300, lasts, NOW), lasts);
            // Read from the keyring later on.
            assert_eq!(life_of(300, lasts, NOW + lasts - 1), lasts);
        }
    }

    #[test]
    fn a_certificate_that_is_not_backdated_lives_as_long_as_it_says() {
        assert_eq!(life_of(0, 3_600, NOW), 3_600);
        assert_eq!(life_of(60, 3_600, NOW), 3_600);
    }

    #[test]
    fn a_clock_that_is_off_changes_the_life_by_no_more_than_the_backdating() {
        assert_eq!(life_of(300, 3_600, NOW - 86_400), 3_900);
        assert_eq!(life_of(300, 3_600, NOW + 86_400), 3_600);
    }
}
