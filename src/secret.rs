//! Values that must not be seen: tokens, keys, client secrets.
//!
//! A secret has no `Display`, no `Serialize` and no derived `Debug` or `PartialEq`; it is zeroed when dropped and is read
//! only by [`Secret::expose`], so that each place that handles the bytes can be found by its name.

use std::fmt;

use zeroize::Zeroizing;

/// A secret text, such as a refresh token or a client secret.
///
/// ```
/// # use entra_ssh::internal::secret::Secret;
/// let secret = Secret::new("hunter2".to_owned());
/// assert_eq!(format!("{secret:?}"), "Secret(redacted)");
/// assert_eq!(secret.expose(), "hunter2");
/// ```
///
/// ```compile_fail,E0277
/// # use entra_ssh::internal::secret::Secret;
/// println!("{}", Secret::new("hunter2".to_owned()));
/// ```
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes a text into keeping.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// Returns the text itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

/// Secret bytes, such as a private key in DER.
#[derive(Clone)]
pub struct SecretBytes(Zeroizing<Vec<u8>>);

impl SecretBytes {
    /// Takes bytes into keeping.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Returns the bytes themselves.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretBytes(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_prints_no_byte_of_a_secret() {
        let text = format!(
            "{:?} {:?}",
            Secret::new("hunter2".to_owned()),
            SecretBytes::new(b"hunter2".to_vec())
        );
        assert_eq!(text, "Secret(redacted) SecretBytes(redacted)");
    }
}
