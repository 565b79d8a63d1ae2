use std::fmt;

use ring::signature::{
    Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA512, RsaEncoding, RsaKeyPair,
    RsaPublicKeyComponents,
};
use rsa::pkcs1::EncodeRsaPrivateKey as _;
use ssh_key::Mpint;
use ssh_key::public::{Ed25519PublicKey, KeyData, RsaPublicKey};

use super::{KeyError, PublicKey};
use crate::host::random::{self, RsaSource};
use crate::ids::KeyKind;
use crate::secret::SecretBytes;

/// The shortest RSA key that Entra certifies, in bits (AADSTS50032 below).
pub const MIN_RSA_BITS: usize = 2048;

/// The length of an Ed25519 private key in bytes (RFC 8032, section 5.1.5).
const ED25519_BYTES: usize = 32;

/// A key pair that was made in this process, or read back from the keyring.
pub struct KeyPair {
    private: SecretBytes,
    signer: Signer,
    public: PublicKey,
}

enum Signer {
    Ed25519(Ed25519KeyPair),
    Rsa(RsaKeyPair),
}

/// How a key signs. SHA-1, which RFC 4253 had for RSA, is not among them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SignatureAlgorithm {
    /// `ssh-ed25519` (RFC 8709)
    Ed25519,
    /// `rsa-sha2-256` (RFC 8332)
    RsaSha256,
    /// `rsa-sha2-512` (RFC 8332)
    RsaSha512,
}

impl SignatureAlgorithm {
    /// Returns the name in the signature blob.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ed25519 => "ssh-ed25519",
            Self::RsaSha256 => "rsa-sha2-256",
            Self::RsaSha512 => "rsa-sha2-512",
        }
    }
}

impl KeyPair {
    /// Makes a new key pair. An RSA key takes a good part of a second: never do it while a connection waits.
    ///
    /// # Errors
    /// [`KeyError::TooShort`] for RSA keys below [`MIN_RSA_BITS`]; [`KeyError::Generation`] if the library fails.
    pub fn generate(kind: KeyKind) -> Result<Self, KeyError> {
        let failed = |reason: String| KeyError::Generation { kind, reason };
        match kind {
            KeyKind::Ed25519 => {
                let mut seed = vec![0; ED25519_BYTES];
                let filled = random::fill(&mut seed);
                let seed = SecretBytes::new(seed);
                filled.map_err(|error| failed(error.to_string()))?;
                Self::ed25519(seed)
            }
            KeyKind::Rsa { bits } if bits < MIN_RSA_BITS => Err(KeyError::TooShort {
                bits,
                minimum: MIN_RSA_BITS,
            }),
            KeyKind::Rsa { bits } => {
                let private = rsa::RsaPrivateKey::new(&mut RsaSource, bits)
                    .map_err(|error| failed(error.to_string()))?;
                let document = private
                    .to_pkcs1_der()
                    .map_err(|error| failed(error.to_string()))?;
                Self::rsa(SecretBytes::new(document.as_bytes().to_vec()))
            }
        }
    }

    /// Reads a private key: the 32 bytes of RFC 8032, section 5.1.5, are an Ed25519 key; all else is an RSA key in DER
    /// (`RSAPrivateKey` of RFC 8017, appendix A.1.2), which is longer.
    ///
    /// # Errors
    /// [`KeyError::Malformed`] if it is neither.
    pub fn from_private_key(private: SecretBytes) -> Result<Self, KeyError> {
        if private.expose().len() == ED25519_BYTES {
            Self::ed25519(private)
        } else {
            Self::rsa(private)
        }
    }

    fn ed25519(private: SecretBytes) -> Result<Self, KeyError> {
        let malformed = |reason: String| KeyError::Malformed {
            what: "Ed25519 private key",
            reason,
        };
        let signer = Ed25519KeyPair::from_seed_unchecked(private.expose())
            .map_err(|error| malformed(error.to_string()))?;
        let public = Ed25519PublicKey::try_from(signer.public_key().as_ref())
            .map_err(|error| malformed(error.to_string()))?;
        Ok(Self {
            private,
            signer: Signer::Ed25519(signer),
            public: PublicKey::from_key_data(KeyData::Ed25519(public)),
        })
    }

    fn rsa(private: SecretBytes) -> Result<Self, KeyError> {
        let malformed = |reason: String| KeyError::Malformed {
            what: "RSA private key",
            reason,
        };
        let signer =
            RsaKeyPair::from_der(private.expose()).map_err(|error| malformed(error.to_string()))?;
        let public: RsaPublicKeyComponents<Vec<u8>> = signer.public().into();
        let mpint = |bytes: &[u8]| {
            Mpint::from_positive_bytes(bytes).map_err(|error| malformed(error.to_string()))
        };
        let public = PublicKey::from_key_data(KeyData::Rsa(RsaPublicKey {
            e: mpint(&public.e)?,
            n: mpint(&public.n)?,
        }));
        Ok(Self {
            private,
            signer: Signer::Rsa(signer),
            public,
        })
    }

    /// Returns the private key, as [`KeyPair::from_private_key`] reads it.
    #[must_use]
    pub const fn private_key(&self) -> &SecretBytes {
        &self.private
    }

    /// Returns the public half.
    #[must_use]
    pub const fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// Returns what it is like.
    #[must_use]
    pub fn kind(&self) -> KeyKind {
        match &self.signer {
            Signer::Ed25519(_) => KeyKind::Ed25519,
            Signer::Rsa(_) => KeyKind::Rsa {
                bits: self.public.rsa_bits().unwrap_or_default(),
            },
        }
    }

    /// Signs `data` and returns the bare signature: of RSA (RSASSA-PKCS1-v1_5) as long as the modulus, of Ed25519 64 bytes.
    ///
    /// # Errors
    /// [`KeyError::Signature`] if a key of this kind does not sign so, or the library fails.
    pub fn sign(&self, algorithm: SignatureAlgorithm, data: &[u8]) -> Result<Vec<u8>, KeyError> {
        let (signer, padding): (_, &dyn RsaEncoding) = match (&self.signer, algorithm) {
            (Signer::Ed25519(signer), SignatureAlgorithm::Ed25519) => {
                return Ok(signer.sign(data).as_ref().to_vec());
            }
            (Signer::Rsa(signer), SignatureAlgorithm::RsaSha256) => (signer, &RSA_PKCS1_SHA256),
            (Signer::Rsa(signer), SignatureAlgorithm::RsaSha512) => (signer, &RSA_PKCS1_SHA512),
            _ => return Err(KeyError::Signature),
        };
        let mut signature = vec![0; signer.public().modulus_len()];
        signer
            .sign(padding, &random::source(), data, &mut signature)
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
    use ring::signature::{ED25519, RSA_PKCS1_2048_8192_SHA512, UnparsedPublicKey};

    use super::*;

    const RSA: KeyKind = KeyKind::Rsa { bits: MIN_RSA_BITS };

    #[test]
    fn an_ed25519_key_pair_survives_the_keyring_and_its_signatures_hold() {
        let made = KeyPair::generate(KeyKind::Ed25519).unwrap();
        let read = KeyPair::from_private_key(made.private_key().clone()).unwrap();
        assert_eq!(made.public_key(), read.public_key());
        assert_eq!(read.kind(), KeyKind::Ed25519);
        let signature = read.sign(SignatureAlgorithm::Ed25519, b"hello").unwrap();
        let public = UnparsedPublicKey::new(&ED25519, made.public_key().ed25519().unwrap());
        public.verify(b"hello", &signature).unwrap();
        public.verify(b"other", &signature).unwrap_err();
        assert_ne!(
            made.public_key(),
            KeyPair::generate(KeyKind::Ed25519).unwrap().public_key()
        );
    }

    /// RFC 8032, section 7.1, test 1.
    #[test]
    fn an_ed25519_key_is_the_one_of_the_standard() {
        let private = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
        let bytes = private
            .as_bytes()
            .chunks(2)
            .map(|digits| u8::from_str_radix(std::str::from_utf8(digits).unwrap(), 16).unwrap());
        let pair = KeyPair::from_private_key(SecretBytes::new(bytes.collect())).unwrap();
        assert_eq!(
            crate::hex::encode(pair.public_key().ed25519().unwrap()),
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
        );
        let signature = pair.sign(SignatureAlgorithm::Ed25519, b"").unwrap();
        assert_eq!(
            crate::hex::encode(&signature),
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
        );
    }

    #[test]
    fn no_key_signs_as_one_of_another_kind() {
        let rsa = KeyPair::generate(RSA).unwrap();
        let ed25519 = KeyPair::generate(KeyKind::Ed25519).unwrap();
        for (pair, algorithm) in [
            (&rsa, SignatureAlgorithm::Ed25519),
            (&ed25519, SignatureAlgorithm::RsaSha256),
            (&ed25519, SignatureAlgorithm::RsaSha512),
        ] {
            assert_eq!(pair.sign(algorithm, b"x"), Err(KeyError::Signature));
        }
    }

    #[test]
    fn a_key_pair_survives_the_keyring_and_its_signatures_hold() {
        let made = KeyPair::generate(RSA).unwrap();
        let read = KeyPair::from_private_key(made.private_key().clone()).unwrap();
        assert_eq!(made.public_key(), read.public_key());
        assert_eq!(read.kind(), RSA);

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
            KeyPair::generate(KeyKind::Rsa { bits: 1024 }).unwrap_err(),
            KeyError::TooShort {
                bits: 1024,
                minimum: 2048
            }
        );
        for length in [0, 5, 31, 33, 64] {
            let bytes = SecretBytes::new(vec![b'x'; length]);
            assert!(KeyPair::from_private_key(bytes).is_err(), "{length}");
        }
    }

    #[test]
    fn debug_shows_the_public_half_alone() {
        let pair = KeyPair::generate(RSA).unwrap();
        let text = format!("{pair:?}");
        assert!(
            text.starts_with("KeyPair { public: PublicKey(ssh-rsa SHA256:"),
            "{text}"
        );
        assert!(text.len() < 120, "{text}");
    }
}
