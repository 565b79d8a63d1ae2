//! Bytes as lower-case hexadecimal text.

use std::fmt::Write as _;

/// Returns two digits a byte.
///
/// ```
/// assert_eq!(entra_ssh::internal::hex::encode(&[0x0a, 0xff]), "0aff");
/// ```
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            // Writing to a String does not fail.
            let _written = write!(text, "{byte:02x}");
            text
        })
}
