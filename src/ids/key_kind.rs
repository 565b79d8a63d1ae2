use std::fmt;

/// The length of new RSA keys, in bits.
pub const RSA_BITS: usize = 3072;

/// The kind of a key pair, existing or new.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum KeyKind {
    /// Ed25519 (RFC 8032).
    Ed25519,
    /// RSA (RFC 8017).
    Rsa {
        /// The length of its modulus in bits.
        bits: usize,
    },
}

impl Default for KeyKind {
    fn default() -> Self {
        Self::Rsa { bits: RSA_BITS }
    }
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ed25519 => f.write_str("Ed25519"),
            Self::Rsa { .. } => f.write_str("RSA"),
        }
    }
}
