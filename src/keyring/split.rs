//! Entries that are longer than the system allows, stored in parts.
//!
//! ```text
//! {name}          byte 0xff, byte generation, uint32 number of parts, string SHA-256 of the whole
//! {name}#g.0      the first part of generation g
//! {name}#g.1      the second …
//! ```
//!
//! The parts are written before the entry that names them, under a generation that the entry in place does not use, so that
//! an interrupted write leaves the old entry whole. An entry that fits is kept as it is.

use sha2::{Digest as _, Sha256};

use super::KeyringError;
use super::store::Store;
use crate::rfc4251::{Reader, Writer};
use crate::secret::SecretBytes;

/// The first byte of an entry that names parts; entries themselves begin with their version, which is small.
const HEAD: u8 = 0xff;
/// How many parts are read at most.
const MAX_PARTS: u32 = 64;

/// A store whose entries may be longer than those of the store beneath.
pub(super) struct Split<S> {
    inner: S,
    /// The longest entry of the store beneath, in bytes.
    limit: usize,
}

struct Head {
    generation: u8,
    parts: u32,
    digest: Vec<u8>,
}

impl Head {
    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        if reader.byte() != Some(HEAD) {
            return None;
        }
        Some(Self {
            generation: reader.byte()?,
            parts: reader.uint32().filter(|parts| *parts <= MAX_PARTS)?,
            digest: reader.string()?.to_vec(),
        })
    }

    fn encode(&self) -> SecretBytes {
        let writer = Writer::new().byte(HEAD).byte(self.generation);
        SecretBytes::new(writer.uint32(self.parts).string(&self.digest).into_bytes())
    }

    fn names<'a>(&self, name: &'a str) -> impl Iterator<Item = String> + use<'a> {
        let generation = self.generation;
        (0..self.parts).map(move |part| format!("{name}#{generation}.{part}"))
    }
}

impl<S: Store> Split<S> {
    pub(super) const fn new(inner: S, limit: usize) -> Self {
        Self { inner, limit }
    }

    fn head(&self, name: &str) -> Result<Option<Head>, KeyringError> {
        let stored = self.inner.load(name)?;
        Ok(stored.and_then(|bytes| Head::decode(bytes.expose())))
    }

    fn remove_parts(&self, name: &str, head: Option<&Head>) -> Result<(), KeyringError> {
        for part in head.into_iter().flat_map(|head| head.names(name)) {
            self.inner.remove(&part)?;
        }
        Ok(())
    }

    fn save_parts(
        &self,
        name: &str,
        secret: &SecretBytes,
        generation: u8,
    ) -> Result<(), KeyringError> {
        let chunks = secret.expose().chunks(self.limit);
        let head = Head {
            generation,
            parts: u32::try_from(chunks.len()).unwrap_or(u32::MAX),
            digest: Sha256::digest(secret.expose()).to_vec(),
        };
        let written = head
            .names(name)
            .zip(chunks)
            .try_for_each(|(part, chunk)| self.inner.save(&part, &SecretBytes::new(chunk.to_vec())))
            .and_then(|()| self.inner.save(name, &head.encode()));
        if written.is_err() {
            // Only the first refusal matters; no entry names the parts written so far.
            let _cleaned = self.remove_parts(name, Some(&head));
        }
        written
    }
}

impl<S: Store> Store for Split<S> {
    fn load(&self, name: &str) -> Result<Option<SecretBytes>, KeyringError> {
        let Some(stored) = self.inner.load(name)? else {
            return Ok(None);
        };
        let Some(head) = Head::decode(stored.expose()) else {
            return Ok(Some(stored));
        };
        let bad = |reason| KeyringError::BadEntry {
            name: name.to_owned(),
            reason,
        };
        let mut whole = Vec::new();
        for part in head.names(name) {
            let bytes = self
                .inner
                .load(&part)?
                .ok_or_else(|| bad("a part is missing"))?;
            whole.extend_from_slice(bytes.expose());
        }
        let whole = SecretBytes::new(whole);
        if Sha256::digest(whole.expose()).as_slice() == head.digest {
            Ok(Some(whole))
        } else {
            Err(bad("its parts do not belong together"))
        }
    }

    fn save(&self, name: &str, secret: &SecretBytes) -> Result<(), KeyringError> {
        let old = self.head(name)?;
        if secret.expose().len() <= self.limit {
            self.inner.save(name, secret)?;
        } else {
            let generation = old.as_ref().map_or(0, |old| old.generation.wrapping_add(1));
            self.save_parts(name, secret, generation)?;
        }
        self.remove_parts(name, old.as_ref())
    }

    fn remove(&self, name: &str) -> Result<bool, KeyringError> {
        let head = self.head(name)?;
        let there = self.inner.remove(name)?;
        self.remove_parts(name, head.as_ref())?;
        Ok(there)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::Mutex;

    use super::super::Backend;
    use super::*;

    /// A store that refuses entries above 100 bytes, and everything once its writes are used up.
    struct Small {
        entries: Mutex<HashMap<String, Vec<u8>>>,
        writes_left: Mutex<u32>,
    }

    impl Store for Small {
        fn load(&self, name: &str) -> Result<Option<SecretBytes>, KeyringError> {
            Ok(self
                .entries
                .lock()
                .unwrap()
                .get(name)
                .cloned()
                .map(SecretBytes::new))
        }

        fn save(&self, name: &str, secret: &SecretBytes) -> Result<(), KeyringError> {
            let mut left = self.writes_left.lock().unwrap();
            let refuse = |reason: &str| KeyringError::Unavailable {
                backend: Backend::Windows,
                reason: reason.to_owned(),
            };
            *left = left.checked_sub(1).ok_or_else(|| refuse("full"))?;
            if secret.expose().len() > 100 {
                return Err(refuse("too long"));
            }
            self.entries
                .lock()
                .unwrap()
                .insert(name.to_owned(), secret.expose().to_vec());
            Ok(())
        }

        fn remove(&self, name: &str) -> Result<bool, KeyringError> {
            Ok(self.entries.lock().unwrap().remove(name).is_some())
        }
    }

    fn split() -> Split<Small> {
        let small = Small {
            entries: Mutex::default(),
            writes_left: Mutex::new(u32::MAX),
        };
        Split::new(small, 100)
    }

    fn secret(byte: u8, length: usize) -> SecretBytes {
        SecretBytes::new(vec![byte; length])
    }

    #[test]
    fn entries_around_the_limit_are_kept_and_leave_nothing_behind() {
        let store = split();
        for length in [1, 99, 100, 101, 200, 201, 1000, 50, 0] {
            store.save("a", &secret(1, length)).unwrap();
            assert_eq!(store.load("a").unwrap().unwrap().expose(), vec![1; length]);
            let expected = if length <= 100 {
                1
            } else {
                1 + length.div_ceil(100)
            };
            assert_eq!(
                store.inner.entries.lock().unwrap().len(),
                expected,
                "{length}"
            );
        }
        assert!(store.remove("a").unwrap());
        assert!(store.inner.entries.lock().unwrap().is_empty());
    }

    #[test]
    fn a_store_that_fills_up_anywhere_in_a_write_keeps_the_old_entry() {
        for writes in 0..4 {
            let store = split();
            store.save("a", &secret(1, 250)).unwrap();
            *store.inner.writes_left.lock().unwrap() = writes;
            assert!(store.save("a", &secret(2, 350)).is_err());
            assert_eq!(
                store.load("a").unwrap().unwrap().expose(),
                vec![1; 250],
                "{writes} writes"
            );
            assert_eq!(store.inner.entries.lock().unwrap().len(), 4);
        }
    }

    #[test]
    fn parts_that_do_not_belong_together_are_refused() {
        let store = split();
        store.save("a", &secret(1, 250)).unwrap();
        store.inner.save("a#0.1", &secret(9, 100)).unwrap();
        assert!(matches!(
            store.load("a"),
            Err(KeyringError::BadEntry { .. })
        ));
        store.inner.remove("a#0.1").unwrap();
        assert!(matches!(
            store.load("a"),
            Err(KeyringError::BadEntry { .. })
        ));
    }
}
