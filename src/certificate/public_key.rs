use std::fmt;

use ssh_key::HashAlg;
use ssh_key::public::KeyData;

use super::KeyError;

/// A public key, as SSH knows it.
#[derive(Clone, Eq, PartialEq)]
pub struct PublicKey(KeyData);

impl PublicKey {
    /// Parses a public key file: `{type} {base64} [comment]`.
    ///
    /// # Errors
    /// [`KeyError::Malformed`] if it is not one.
    pub fn from_openssh(text: &str) -> Result<Self, KeyError> {
        ssh_key::PublicKey::from_openssh(text.trim())
            .map(|key| Self(key.key_data().clone()))
            .map_err(|error| KeyError::Malformed {
                what: "public key file",
                reason: error.to_string(),
            })
    }

    /// Parses a key blob of RFC 4253, section 6.6.
    ///
    /// # Errors
    /// [`KeyError::Malformed`] if it is not one.
    pub fn from_blob(blob: &[u8]) -> Result<Self, KeyError> {
        ssh_key::PublicKey::from_bytes(blob)
            .map(|key| Self(key.key_data().clone()))
            .map_err(|error| KeyError::Malformed {
                what: "public key",
                reason: error.to_string(),
            })
    }

    pub(super) const fn from_key_data(data: KeyData) -> Self {
        Self(data)
    }

    pub(super) const fn key_data(&self) -> &KeyData {
        &self.0
    }

    /// Returns the key blob of RFC 4253, section 6.6.
    #[must_use]
    pub fn blob(&self) -> Vec<u8> {
        // The key was parsed from such a blob or built from numbers; writing it to memory does not fail.
        ssh_key::PublicKey::from(self.0.clone())
            .to_bytes()
            .unwrap_or_default()
    }

    /// Returns the fingerprint, as `ssh-keygen -l` prints it: `SHA256:` and unpadded base64.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        self.0.fingerprint(HashAlg::Sha256).to_string()
    }

    /// Returns the name of the key's algorithm: `ssh-rsa`, `ssh-ed25519`, …
    #[must_use]
    pub fn algorithm(&self) -> String {
        self.0.algorithm().as_str().to_owned()
    }

    /// Returns the modulus and the public exponent of an RSA key as SSH mpints (RFC 4251, section 5): big-endian, with a
    /// leading zero byte where the highest bit is set.
    #[must_use]
    pub fn rsa_mpints(&self) -> Option<(&[u8], &[u8])> {
        self.0.rsa().map(|key| (key.n.as_bytes(), key.e.as_bytes()))
    }

    /// Returns the 32 bytes of an Ed25519 key (RFC 8032, section 5.1.5).
    #[must_use]
    pub fn ed25519(&self) -> Option<&[u8]> {
        self.0.ed25519().map(|key| &key.0[..])
    }

    /// Returns the length of an RSA key's modulus in bits.
    #[must_use]
    pub fn rsa_bits(&self) -> Option<usize> {
        let (modulus, _) = self.rsa_mpints()?;
        let significant: Vec<u8> = modulus
            .iter()
            .copied()
            .skip_while(|byte| *byte == 0)
            .collect();
        let zeros = significant
            .first()
            .map_or(0, |byte| usize::try_from(byte.leading_zeros()).unwrap_or(0));
        Some(significant.len() * 8 - zeros)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({} {})", self.algorithm(), self.fingerprint())
    }
}
