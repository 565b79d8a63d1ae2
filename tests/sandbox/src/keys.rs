//! The RSA key pair that Entra signs tokens and SSH certificates with.
//!
//! ```text
//! private key ──signs──> tokens (RS256), SSH certificates (rsa-sha2-256)
//! public key  ──in─────> discovery/v2.0/keys, and the `authorized_keys` line of the machines
//! ```
//!
//! Generating RSA keys is slow, so a process makes it once and every sandbox in it shares it.

use std::sync::OnceLock;

use rcgen::{CertificateParams, DnType, KeyPair, PKCS_RSA_SHA256};
use ring::rand::SystemRandom;
use ring::signature::{
    KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA512, RsaEncoding, RsaKeyPair,
    RsaPublicKeyComponents,
};
use rsa::RsaPrivateKey;
use rsa::pkcs8::EncodePrivateKey as _;
use rsa::rand_core::{CryptoRng, Error, RngCore};
use rustls::pki_types::PrivatePkcs8KeyDer;

use crate::encoding::{SshWriter, base64, base64url, random_bytes, sha1};
use crate::tls::set_validity;

const MODULUS_BITS: usize = 2_048;

/// An RSA key pair and its public half in the forms that are asked for.
pub(crate) struct SigningKey {
    pair: RsaKeyPair,
    /// A certificate for it that it signed itself, DER: key sets have it as `x5c`.
    certificate: Vec<u8>,
}

impl SigningKey {
    /// Returns Entra's own pair, the same for the whole process; the first call makes it.
    pub(crate) fn shared() -> &'static Self {
        static KEY: OnceLock<SigningKey> = OnceLock::new();
        KEY.get_or_init(Self::generate)
    }

    pub(crate) fn generate() -> Self {
        let pkcs8 = Self::generate_pkcs8();
        Self {
            pair: RsaKeyPair::from_pkcs8(&pkcs8).expect("a generated key is consistent"),
            certificate: self_signed(pkcs8).expect("a certificate needs a key and nothing else"),
        }
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

    /// Returns the certificate of the public key, DER.
    pub(crate) fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// Returns the name that tokens carry in their header, as `kid` and as `x5t`: the certificate's
    /// SHA-1 digest.
    pub(crate) fn key_id(&self) -> String {
        base64url(sha1(&self.certificate))
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

fn self_signed(pkcs8: Vec<u8>) -> Result<Vec<u8>, rcgen::Error> {
    let der = PrivatePkcs8KeyDer::from(pkcs8);
    let key = KeyPair::from_pkcs8_der_and_sign_algo(&der, &PKCS_RSA_SHA256)?;
    let mut params = CertificateParams::new(Vec::new())?;
    let name = "accounts.accesscontrol.windows.net";
    params.distinguished_name.push(DnType::CommonName, name);
    set_validity(&mut params);
    Ok(params.self_signed(&key)?.der().to_vec())
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
