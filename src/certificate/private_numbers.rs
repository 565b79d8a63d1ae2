use rsa::BigUint;
use rsa::pkcs1::DecodeRsaPrivateKey as _;
use rsa::traits::{PrivateKeyParts as _, PublicKeyParts as _};

use super::{KeyError, KeyPair};
use crate::ids::KeyKind;
use crate::secret::SecretBytes;

/// The numbers of a private key, as agents hand them on.
#[derive(Clone, Debug)]
pub enum PrivateNumbers {
    /// Those of an Ed25519 key.
    Ed25519 {
        /// The public key, 32 bytes.
        public: Vec<u8>,
        /// The private key and the public one after it, 64 bytes.
        both: SecretBytes,
    },
    /// Those of an RSA key.
    Rsa(RsaNumbers),
}

impl PrivateNumbers {
    /// Takes a key pair apart.
    ///
    /// # Errors
    /// [`KeyError::Malformed`] if an RSA key does not consist of two primes.
    pub fn of(key_pair: &KeyPair) -> Result<Self, KeyError> {
        if key_pair.kind() != KeyKind::Ed25519 {
            return RsaNumbers::of(key_pair).map(Self::Rsa);
        }
        let public = key_pair.public_key().ed25519().unwrap_or_default();
        let private = key_pair.private_key().expose();
        Ok(Self::Ed25519 {
            public: public.to_vec(),
            both: SecretBytes::new([private, public].concat()),
        })
    }
}

/// The numbers of an RSA key: mpints (RFC 4251, section 5) without their length.
#[derive(Clone, Debug)]
pub struct RsaNumbers {
    /// The modulus.
    pub n: Vec<u8>,
    /// The public exponent.
    pub e: Vec<u8>,
    /// The private exponent.
    pub d: SecretBytes,
    /// The inverse of `q` modulo `p`.
    pub iqmp: SecretBytes,
    /// The first prime.
    pub p: SecretBytes,
    /// The second prime.
    pub q: SecretBytes,
}

impl RsaNumbers {
    fn of(key_pair: &KeyPair) -> Result<Self, KeyError> {
        let malformed = |reason: String| KeyError::Malformed {
            what: "RSA private key",
            reason,
        };
        let key = rsa::RsaPrivateKey::from_pkcs1_der(key_pair.private_key().expose())
            .map_err(|error| malformed(error.to_string()))?;
        let [p, q] = key.primes() else {
            return Err(malformed("it has not two primes".to_owned()));
        };
        let iqmp = key
            .crt_coefficient()
            .ok_or_else(|| malformed("its primes have no inverse".to_owned()))?;
        Ok(Self {
            n: mpint(key.n()).expose().to_vec(),
            e: mpint(key.e()).expose().to_vec(),
            d: mpint(key.d()),
            iqmp: mpint(&iqmp),
            p: mpint(p),
            q: mpint(q),
        })
    }
}

fn mpint(number: &BigUint) -> SecretBytes {
    let digits = number.to_bytes_be();
    let is_padded = digits.first().is_some_and(|first| first & 0x80 != 0);
    let mut bytes = Vec::with_capacity(digits.len() + 1);
    if is_padded {
        bytes.push(0);
    }
    bytes.extend_from_slice(&digits);
    // The digits are a copy of their own.
    drop(SecretBytes::new(digits));
    SecretBytes::new(bytes)
}
