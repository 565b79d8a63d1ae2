use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ssh_key::LineEnding;
use ssh_key::private::{Ed25519Keypair, Ed25519PrivateKey};
use zeroize::Zeroizing;

use super::{KeyError, KeyPair};
use crate::ids::KeyKind;
use crate::secret::SecretBytes;

/// How many characters a line of PEM has (RFC 7468, section 2).
const PEM_LINE: usize = 64;

impl KeyPair {
    /// Returns the contents of a private key file as every `ssh` reads it: an RSA key as `RSAPrivateKey` of RFC 8017 in PEM, an
    /// Ed25519 key in OpenSSH's own form (PROTOCOL.key). The same key gives the same bytes.
    ///
    /// # Errors
    /// [`KeyError::Malformed`] if the library fails.
    pub fn to_private_key_file(&self) -> Result<SecretBytes, KeyError> {
        match self.kind() {
            KeyKind::Ed25519 => openssh(self.private_key().expose()),
            KeyKind::Rsa { .. } => Ok(pem(self.private_key().expose())),
        }
    }
}

fn openssh(private: &[u8]) -> Result<SecretBytes, KeyError> {
    let malformed = |error: ssh_key::Error| KeyError::Malformed {
        what: "Ed25519 private key",
        reason: error.to_string(),
    };
    let key = Ed25519PrivateKey::try_from(private).map_err(malformed)?;
    let text = ssh_key::PrivateKey::from(Ed25519Keypair::from(key))
        .to_openssh(LineEnding::LF)
        .map_err(malformed)?;
    Ok(SecretBytes::new(text.as_bytes().to_vec()))
}

fn pem(der: &[u8]) -> SecretBytes {
    let base64 = Zeroizing::new(STANDARD.encode(der));
    let lines = base64.len().div_ceil(PEM_LINE);
    // As long as it gets, since what it would outgrow is not zeroed.
    let mut pem = Vec::with_capacity(base64.len() + lines + 100);
    pem.extend_from_slice(b"-----BEGIN RSA PRIVATE KEY-----\n");
    for line in base64.as_bytes().chunks(PEM_LINE) {
        pem.extend_from_slice(line);
        pem.push(b'\n');
    }
    pem.extend_from_slice(b"-----END RSA PRIVATE KEY-----\n");
    SecretBytes::new(pem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ed25519_key_in_a_file_is_the_key_and_the_same_bytes_each_time() {
        let pair = KeyPair::generate(KeyKind::Ed25519).unwrap();
        let file = pair.to_private_key_file().unwrap();
        let text = std::str::from_utf8(file.expose()).unwrap();
        assert!(text.starts_with("-----BEGIN OPENSSH PRIVATE KEY-----\n"));
        let read = ssh_key::PrivateKey::from_openssh(text).unwrap();
        assert_eq!(
            read.public_key().to_bytes().unwrap(),
            pair.public_key().blob()
        );
        assert_eq!(pair.to_private_key_file().unwrap().expose(), file.expose());
    }
}
