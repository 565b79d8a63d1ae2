use rsa::BigUint;
use rsa::pkcs1::DecodeRsaPrivateKey as _;
use rsa::traits::{PrivateKeyParts as _, PublicKeyParts as _};

use super::{KeyError, KeyPair};
use crate::secret::SecretBytes;

/// The numbers of an RSA key, as agents hand them on: mpints (RFC 4251, section 5) without their length.
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
    /// Takes a key pair apart.
    ///
    /// # Errors
    /// [`KeyError::Malformed`] if it does not consist of two primes.
    pub fn of(key_pair: &KeyPair) -> Result<Self, KeyError> {
        let malformed = |reason: String| KeyError::Malformed {
            what: "RSA private key",
            reason,
        };
        let key = rsa::RsaPrivateKey::from_pkcs1_der(key_pair.pkcs1_der().expose())
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
