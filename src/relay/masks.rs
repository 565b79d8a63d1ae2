//! Masking keys (RFC 6455, section 5.3).

use crate::host::random::{self, NoRandomNumbers};

/// How many keys are made at once. To ask the system for one costs as much as to encrypt a short frame.
const AT_ONCE: usize = 64;

/// Unpredictable keys, each of which masks one frame.
pub(super) struct Masks {
    keys: [[u8; 4]; AT_ONCE],
    used: usize,
}

impl Masks {
    pub(super) fn new() -> Self {
        Self {
            keys: [[0; 4]; AT_ONCE],
            used: AT_ONCE,
        }
    }

    /// Returns a key that no other frame has.
    ///
    /// # Errors
    /// [`NoRandomNumbers`] if the system gives no random numbers.
    pub(super) fn next(&mut self) -> Result<[u8; 4], NoRandomNumbers> {
        if let Some(key) = self.keys.get(self.used) {
            self.used += 1;
            return Ok(*key);
        }
        random::fill(self.keys.as_flattened_mut())?;
        self.used = 1;
        let [first, ..] = self.keys;
        Ok(first)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_frame_has_a_key_of_its_own() {
        let mut masks = Masks::new();
        let count = 3 * AT_ONCE + 1;
        let keys: HashSet<_> = (0..count).map(|_| masks.next().unwrap()).collect();
        // Two of two hundred may be alike by chance; a batch that is handed out twice may not.
        assert!(keys.len() >= count - 2, "{} of {count}", keys.len());
    }
}
