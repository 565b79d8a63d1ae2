use std::fmt;

use ring::rand::SystemRandom;
use ring::signature::{
    RSA_PKCS1_SHA256, RSA_PKCS1_SHA512, RsaEncoding, RsaKeyPair, RsaPublicKeyComponents,
};
use rsa::pkcs1::EncodeRsaPrivateKey as _;
use rsa::rand_core::OsRng;
use ssh_key::Mpint;
use ssh_key::public::{KeyData, RsaPublicKey};

use super::{KeyError, PublicKey};
use crate::secret::SecretBytes;

/// The length of a new RSA key in bits.
pub const RSA_BITS: usize = 3072;

/// The shortest RSA key that Entra certifies, in bits (AADSTS50032 below).
pub const MIN_RSA_BITS: usize = 2048;

/// An RSA key pair that was made in this process, or read back from the keyring.
pub struct KeyPair {
    pkcs1: SecretBytes,
    signer: RsaKeyPair,
    public: PublicKey,
}

/// How an RSA key signs (RFC 8332). SHA-1, which RFC 4253 had, is not among them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SignatureAlgorithm {
    /// `rsa-sha2-256`
    RsaSha256,
    /// `rsa-sha2-512`
    RsaSha512,
}

impl SignatureAlgorithm {
    /// Returns the name in the signature blob.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::RsaSha256 => "rsa-sha2-256",
            Self::RsaSha512 => "rsa-sha2-512",
        }
    }
}

impl KeyPair {
    /// Makes a new key pair of `bits` bits. This takes a good part of a second: never do it while a connection waits.
    ///
    /// # Errors
    /// [`KeyError::TooShort`] below [`MIN_RSA_BITS`]; [`KeyError::Generation`] if the library fails.
    pub fn generate(bits: usize) -> Result<Self, KeyError> {
        if bits < MIN_RSA_BITS {
            return Err(KeyError::TooShort {
                bits,
                minimum: MIN_RSA_BITS,
            });
        }
        let failed = |reason: String| KeyError::Generation { reason };
        let private =
            rsa::RsaPrivateKey::new(&mut OsRng, bits).map_err(|error| failed(error.to_string()))?;
        let document = private
            .to_pkcs1_der()
            .map_err(|error| failed(error.to_string()))?;
        Self::from_pkcs1_der(SecretBytes::new(document.as_bytes().to_vec()))
    }

    /// Reads a key pair in DER (`RSAPrivateKey` of RFC 8017, appendix A.1.2).
    ///
    /// # Errors
    /// [`KeyError::Malformed`] if it is not one.
    pub fn from_pkcs1_der(pkcs1: SecretBytes) -> Result<Self, KeyError> {
        let malformed = |reason: String| KeyError::Malformed {
            what: "RSA private key",
            reason,
        };
        let signer =
            RsaKeyPair::from_der(pkcs1.expose()).map_err(|error| malformed(error.to_string()))?;
        let public: RsaPublicKeyComponents<Vec<u8>> = signer.public().into();
        let mpint = |bytes: &[u8]| {
            Mpint::from_positive_bytes(bytes).map_err(|error| malformed(error.to_string()))
        };
        let public = PublicKey::from_key_data(KeyData::Rsa(RsaPublicKey {
            e: mpint(&public.e)?,
            n: mpint(&public.n)?,
        }));
        Ok(Self {
            pkcs1,
            signer,
            public,
        })
    }

    /// Returns the key pair in DER, as [`KeyPair::from_pkcs1_der`] reads it.
    #[must_use]
    pub const fn pkcs1_der(&self) -> &SecretBytes {
        &self.pkcs1
    }

    /// Returns the public half.
    #[must_use]
    pub const fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// Signs `data` (RSASSA-PKCS1-v1_5) and returns the bare signature, as long as the modulus.
    ///
    /// # Errors
    /// [`KeyError::Signature`] if the library fails.
    pub fn sign(&self, algorithm: SignatureAlgorithm, data: &[u8]) -> Result<Vec<u8>, KeyError> {
        let padding: &dyn RsaEncoding = match algorithm {
            SignatureAlgorithm::RsaSha256 => &RSA_PKCS1_SHA256,
            SignatureAlgorithm::RsaSha512 => &RSA_PKCS1_SHA512,
        };
        let mut signature = vec![0; self.signer.public().modulus_len()];
        self.signer
            .sign(padding, &SystemRandom::new(), data, &mut signature)
            .map_err(|_| KeyError::Signature)?;
        Ok(signature)
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyPair")
            .field("public", &self.public)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use ring::signature::RSA_PKCS1_2048_8192_SHA512;

    use super::*;

    #[test]
    fn a_key_pair_survives_the_keyring_and_its_signatures_hold() {
        let made = KeyPair::generate(MIN_RSA_BITS).unwrap();
        let read = KeyPair::from_pkcs1_der(made.pkcs1_der().clone()).unwrap();
        assert_eq!(made.public_key(), read.public_key());
        assert_eq!(read.public_key().rsa_bits(), Some(MIN_RSA_BITS));

        let signature = read.sign(SignatureAlgorithm::RsaSha512, b"hello").unwrap();
        let (n, e) = made.public_key().rsa_mpints().unwrap();
        let public = RsaPublicKeyComponents { n: &n[1..], e };
        assert_eq!(
            n[0], 0,
            "an mpint with its highest bit set has a leading zero"
        );
        public
            .verify(&RSA_PKCS1_2048_8192_SHA512, b"hello", &signature)
            .unwrap();
        assert!(
            public
                .verify(&RSA_PKCS1_2048_8192_SHA512, b"other", &signature)
                .is_err()
        );
    }

    #[test]
    fn reject_short_keys_and_other_bytes() {
        assert_eq!(
            KeyPair::generate(1024).unwrap_err(),
            KeyError::TooShort {
                bits: 1024,
                minimum: 2048
            }
        );
        assert!(KeyPair::from_pkcs1_der(SecretBytes::new(b"hello".to_vec())).is_err());
    }

    #[test]
    fn debug_shows_the_public_half_alone() {
        let pair = KeyPair::generate(MIN_RSA_BITS).unwrap();
        let text = format!("{pair:?}");
        assert!(
            text.starts_with("KeyPair { public: PublicKey(ssh-rsa SHA256:"),
            "{text}"
        );
        assert!(text.len() < 120, "{text}");
    }
}
