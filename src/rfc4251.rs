//! The data types of SSH (RFC 4251, section 5), read from and written to bytes in memory.
//!
//! ```
//! use entra_ssh::internal::rfc4251::{Reader, Writer};
//!
//! let bytes = Writer::new().string(b"ssh-rsa").uint32(7).into_bytes();
//! let mut reader = Reader::new(&bytes);
//! assert_eq!(reader.text(), Some("ssh-rsa"));
//! assert_eq!(reader.uint32(), Some(7));
//! assert!(reader.is_empty());
//! ```

use std::fmt;

use zeroize::Zeroizing;

/// Reads values off the front of bytes; every method returns `None` where the bytes end too early.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Starts at the front of `bytes`.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Reads one byte.
    pub fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    /// Reads a `uint32`.
    pub fn uint32(&mut self) -> Option<u32> {
        let (bytes, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(u32::from_be_bytes(*bytes))
    }

    /// Reads a `uint64`.
    pub fn uint64(&mut self) -> Option<u64> {
        let (bytes, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(u64::from_be_bytes(*bytes))
    }

    /// Reads a `string`: a length and as many bytes.
    pub fn string(&mut self) -> Option<&'a [u8]> {
        let mut ahead = *self;
        let length = usize::try_from(ahead.uint32()?).ok()?;
        let (string, rest) = ahead.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(string)
    }

    /// Reads a `string` that is UTF-8.
    pub fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.string()?).ok()
    }

    /// Returns what has not been read.
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Returns whether all has been read.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }
}

/// Writes values one after the other. What was written may be secret: outgrown and dropped buffers are zeroed.
#[derive(Clone, Default)]
pub struct Writer {
    bytes: Zeroizing<Vec<u8>>,
}

impl Writer {
    /// Starts with nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one byte.
    #[must_use]
    pub fn byte(mut self, value: u8) -> Self {
        self.extend(&[value]);
        self
    }

    /// Adds a `uint32`.
    #[must_use]
    pub fn uint32(mut self, value: u32) -> Self {
        self.extend(&value.to_be_bytes());
        self
    }

    /// Adds a `string`: its length and its bytes. What is longer than 4 GiB, which nothing here is, is cut.
    #[must_use]
    pub fn string(mut self, value: &[u8]) -> Self {
        let length = u32::try_from(value.len()).unwrap_or(u32::MAX);
        self.extend(&length.to_be_bytes());
        let kept = usize::try_from(length).unwrap_or(usize::MAX);
        self.extend(value.get(..kept).unwrap_or_default());
        self
    }

    /// Adds bytes as they are.
    #[must_use]
    pub fn raw(mut self, bytes: &[u8]) -> Self {
        self.extend(bytes);
        self
    }

    /// Returns what was written.
    #[must_use]
    pub fn into_bytes(mut self) -> Vec<u8> {
        std::mem::take(&mut *self.bytes)
    }

    /// Adds bytes; a buffer that is too small is copied and zeroed, not left behind as it was.
    fn extend(&mut self, added: &[u8]) {
        let length = self.bytes.len() + added.len();
        if length > self.bytes.capacity() {
            let mut larger = Zeroizing::new(Vec::with_capacity(length.next_power_of_two()));
            larger.extend_from_slice(&self.bytes);
            self.bytes = larger;
        }
        self.bytes.extend_from_slice(added);
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Writer({} bytes)", self.bytes.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_that_ends_too_early_is_not_read_at_all() {
        let bytes = Writer::new().uint32(5).raw(b"1234").into_bytes();
        let mut reader = Reader::new(&bytes);
        assert_eq!(reader.string(), None);
        assert_eq!(reader.rest().len(), 8);
    }

    #[test]
    fn a_length_of_four_gigabytes_allocates_nothing() {
        assert_eq!(Reader::new(&[0xff; 8]).string(), None);
    }
}
