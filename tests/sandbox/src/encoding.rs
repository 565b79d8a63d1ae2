//! Encodings that the services share: base64 and its URL alphabet, hex, percent signs, SSH wire.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{
    GeneralPurpose, GeneralPurposeConfig, STANDARD, URL_SAFE_NO_PAD,
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use ring::rand::{SecureRandom as _, SystemRandom};

/// What stays as it is inside a percent-encoded component (RFC 3986, "unreserved").
const COMPONENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// URL alphabet; `=` may be there or not, as clients differ.
const URL_SAFE_ANY_PADDING: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

pub(crate) fn base64(bytes: impl AsRef<[u8]>) -> String {
    STANDARD.encode(bytes)
}

pub(crate) fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Decodes the URL alphabet, with or without padding.
pub(crate) fn decode_base64url(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_ANY_PADDING.decode(text).ok()
}

pub(crate) fn decode_base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

pub(crate) fn hex(bytes: impl AsRef<[u8]>) -> String {
    use std::fmt::Write as _;
    bytes.as_ref().iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

pub(crate) fn percent_encode(text: &str) -> String {
    utf8_percent_encode(text, COMPONENT).to_string()
}

pub(crate) fn percent_decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

pub(crate) fn sha256(bytes: &[u8]) -> Vec<u8> {
    ring::digest::digest(&ring::digest::SHA256, bytes)
        .as_ref()
        .to_vec()
}

/// Returns the digest that names certificates.
pub(crate) fn sha1(bytes: &[u8]) -> Vec<u8> {
    ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, bytes)
        .as_ref()
        .to_vec()
}

/// Returns bytes nobody can guess.
pub(crate) fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    SystemRandom::new()
        .fill(&mut bytes)
        .expect("the system has a random number generator");
    bytes
}

/// Writes the data types of RFC 4251, section 5.
#[derive(Default)]
pub(crate) struct SshWriter(Vec<u8>);

impl SshWriter {
    pub(crate) fn string(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        let bytes = bytes.as_ref();
        let length = u32::try_from(bytes.len()).expect("the sandbox writes no field of 4 GiB");
        self.uint32(length);
        self.0.extend_from_slice(bytes);
        self
    }

    pub(crate) fn uint32(&mut self, value: u32) -> &mut Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    pub(crate) fn uint64(&mut self, value: u64) -> &mut Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    /// Writes a positive number given as big-endian bytes: shortest form, one zero byte in front
    /// where the first bit is set.
    pub(crate) fn mpint(&mut self, big_endian: &[u8]) -> &mut Self {
        let start = big_endian
            .iter()
            .position(|byte| *byte != 0)
            .unwrap_or(big_endian.len());
        let digits = &big_endian[start..];
        if digits.first().is_some_and(|first| first & 0x80 != 0) {
            let mut signed = vec![0];
            signed.extend_from_slice(digits);
            self.string(signed)
        } else {
            self.string(digits)
        }
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::{SshWriter, decode_base64url};

    #[test]
    fn mpint_is_the_shortest_positive_form() {
        let written = |bytes: &[u8]| {
            let mut writer = SshWriter::default();
            writer.mpint(bytes);
            writer.into_bytes()
        };
        assert_eq!(written(&[0, 0]), [0, 0, 0, 0]);
        assert_eq!(written(&[0, 0x7f]), [0, 0, 0, 1, 0x7f]);
        assert_eq!(written(&[0x80]), [0, 0, 0, 2, 0, 0x80]);
    }

    #[test]
    fn url_alphabet_is_read_with_and_without_padding() {
        assert_eq!(decode_base64url("AQ=="), Some(vec![1]));
        assert_eq!(decode_base64url("AQ"), Some(vec![1]));
        assert_eq!(decode_base64url("A!"), None);
    }
}
