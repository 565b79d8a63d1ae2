use std::path::Path;

use crate::certificate::{Certificate, Lifetime, PublicKey, RenewWhen, Unverified};
use crate::host::files;
use crate::time::UnixTime;

/// The longest key or certificate file that is read, in bytes.
pub(super) const MAX_FILE_BYTES: usize = 256 * 1024;

/// Returns the certificate in a file, unless it has to be replaced: it is for another key than `key`, it is not valid, or it
/// needs renewal. Without a key, it may be for any.
pub(super) fn good_certificate(
    file: &Path,
    key: Option<&PublicKey>,
    when: RenewWhen,
    now: UnixTime,
) -> Option<Certificate> {
    let text = files::read_text_if_there(file, MAX_FILE_BYTES).ok()??;
    let unverified = Unverified::from_openssh(&text).ok()?;
    let key = key.unwrap_or_else(|| unverified.public_key());
    let certificate = unverified.verify(now, key).ok()?;
    let obtained = files::modified(file).unwrap_or(now);
    let life = Lifetime::of(&certificate, obtained);
    (!life.needs_renewal(when, now)).then_some(certificate)
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write as _;
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;
    use crate::certificate::tests::certificate_between;
    use crate::certificate::{KeyKind, KeyPair};

    /// When the certificates of these tests are issued.
    const ISSUED: u64 = 1_800_000_000;

    fn at(seconds: u64) -> UnixTime {
        UnixTime::from_seconds(ISSUED + seconds)
    }

    /// Writes a certificate right after its issue. It became valid so many seconds `before`, and `lasts` for so many from its issue
    /// on. Calls `look` with the file and the key.
    fn with_file(before: u64, lasts: u64, look: impl Fn(&Path, &PublicKey)) {
        let from = UnixTime::from_seconds(ISSUED - before);
        let (key, text) = certificate_between(from, at(lasts));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("default-cert.pub");
        let mut file = File::create_new(&path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file.set_modified(UNIX_EPOCH + Duration::from_secs(ISSUED))
            .unwrap();
        look(&path, &key);
    }

    #[test]
    fn a_short_certificate_is_good_until_the_last_third_of_its_life_whichever_key_it_is_for() {
        for (before, lasts) in [(300, 60), (300, 600), (100, 60), (0, 60), (0, 299)] {
            with_file(before, lasts, |file, key| {
                for key in [Some(key), None] {
                    let is_good =
                        |now| good_certificate(file, key, RenewWhen::Due, at(now)).is_some();
                    let due = lasts - lasts / 3;
                    assert!(is_good(0), "{before} {lasts}: it is not due at once");
                    assert!(is_good(due - 1), "{before} {lasts}");
                    assert!(!is_good(due), "{before} {lasts}: it is due at last");
                    assert!(!is_good(lasts), "{before} {lasts}: it has expired");
                }
            });
        }
    }

    #[test]
    fn a_certificate_of_another_key_or_no_certificate_is_replaced() {
        with_file(300, 3_600, |file, key| {
            let good = |key| good_certificate(file, key, RenewWhen::Due, at(0));
            assert!(good(Some(key)).is_some());
            let other = KeyPair::generate(KeyKind::Ed25519).unwrap();
            assert!(good(Some(other.public_key())).is_none());
            files::write(file, b"half a certif", files::Access::Private).unwrap();
            assert!(good(None).is_none());
            files::remove_if_there(file).unwrap();
            assert!(good(None).is_none());
        });
    }
}
