//! The two RSA key pairs of the sandbox: one signs SSH certificates, the other tokens.
//!
//! Generating RSA keys is slow, so a process makes them once and every sandbox in it shares them.

use std::sync::OnceLock;
use std::thread;

use ring::rand::SystemRandom;
use ring::signature::{
    KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA512, RsaEncoding, RsaKeyPair,
    RsaPublicKeyComponents,
};
use rsa::RsaPrivateKey;
use rsa::pkcs1::EncodeRsaPrivateKey as _;
use rsa::pkcs8::EncodePrivateKey as _;
use rsa::rand_core::{CryptoRng, Error, RngCore};

use crate::encoding::{SshWriter, base64, base64url, random_bytes, sha256};

const MODULUS_BITS: usize = 2_048;

/// Both key pairs.
pub(crate) struct Keys {
    pub(crate) certificate_authority: SigningKey,
    pub(crate) tokens: SigningKey,
}

impl Keys {
    /// Returns the pairs of this process; the first call makes them.
    pub(crate) fn shared() -> &'static Self {
        static KEYS: OnceLock<Keys> = OnceLock::new();
        KEYS.get_or_init(|| {
            let tokens = thread::spawn(SigningKey::generate);
            Self {
                certificate_authority: SigningKey::generate(),
                tokens: tokens.join().expect("key generation does not panic"),
            }
        })
    }
}

/// An RSA key pair and its public half in the forms that are asked for.
pub(crate) struct SigningKey {
    pair: RsaKeyPair,
}

impl SigningKey {
    pub(crate) fn generate() -> Self {
        let der = generate()
            .to_pkcs1_der()
            .expect("a generated key can be written as PKCS #1");
        let pair = RsaKeyPair::from_der(der.as_bytes()).expect("a generated key is consistent");
        Self { pair }
    }

    /// Generates a pair for somebody else, as PKCS #8.
    pub(crate) fn generate_pkcs8() -> Vec<u8> {
        generate()
            .to_pkcs8_der()
            .expect("a generated key can be written as PKCS #8")
            .as_bytes()
            .to_vec()
    }

    /// Returns the modulus as big-endian bytes without leading zeros.
    pub(crate) fn modulus(&self) -> Vec<u8> {
        self.numbers().n
    }

    /// Returns the public exponent as big-endian bytes without leading zeros.
    pub(crate) fn exponent(&self) -> Vec<u8> {
        self.numbers().e
    }

    fn numbers(&self) -> RsaPublicKeyComponents<Vec<u8>> {
        self.pair.public().into()
    }

    /// Returns the public key as DER, in the shape that `ring` verifies with (RFC 8017, A.1.1).
    pub(crate) fn public_der(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }

    /// Returns the name that tokens carry in their header.
    pub(crate) fn key_id(&self) -> String {
        base64url(sha256(self.public_der()))
    }

    /// Returns the public key as an SSH blob.
    pub(crate) fn ssh_blob(&self) -> Vec<u8> {
        let mut blob = SshWriter::default();
        blob.string("ssh-rsa")
            .mpint(&self.exponent())
            .mpint(&self.modulus());
        blob.into_bytes()
    }

    /// Returns the public key as a line of an `authorized_keys` file.
    pub(crate) fn authorized_keys_line(&self) -> String {
        format!("ssh-rsa {} entra-ssh-sandbox-ca", base64(self.ssh_blob()))
    }

    pub(crate) fn sign_sha256(&self, message: &[u8]) -> Vec<u8> {
        self.sign(&RSA_PKCS1_SHA256, message)
    }

    pub(crate) fn sign_sha512(&self, message: &[u8]) -> Vec<u8> {
        self.sign(&RSA_PKCS1_SHA512, message)
    }

    fn sign(&self, encoding: &'static dyn RsaEncoding, message: &[u8]) -> Vec<u8> {
        let mut signature = vec![0; self.pair.public().modulus_len()];
        self.pair
            .sign(encoding, &SystemRandom::new(), message, &mut signature)
            .expect("a 2048 bit key has room for any SHA-2 digest");
        signature
    }
}

fn generate() -> RsaPrivateKey {
    RsaPrivateKey::new(&mut SystemRng, MODULUS_BITS).expect("2048 is a size that RSA keys have")
}

/// The system's generator, as the `rsa` crate wants it.
struct SystemRng;

impl CryptoRng for SystemRng {}

impl RngCore for SystemRng {
    fn next_u32(&mut self) -> u32 {
        u32::from_le_bytes(random_bytes())
    }

    fn next_u64(&mut self) -> u64 {
        u64::from_le_bytes(random_bytes())
    }

    fn fill_bytes(&mut self, dest: &mut [u8]) {
        for chunk in dest.chunks_mut(32) {
            let random = random_bytes::<32>();
            chunk.copy_from_slice(&random[..chunk.len()]);
        }
    }

    fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), Error> {
        self.fill_bytes(dest);
        Ok(())
    }
}
