//! Encodes secrets for the keyring, and decodes them. No other code does.
//!
//! ```text
//! byte    1               the version of this form
//! byte    kind            1 refresh token, 2 client secret, 3 key and certificate, 4 client certificate, 5 OIDC request
//! string  field           as many as the kind has (RFC 4251, section 5)
//! ```

use std::fmt;

use super::KeyringError;
use crate::rfc4251::{Reader, Writer};
use crate::secret::{Secret, SecretBytes};

const VERSION: u8 = 1;

/// What kind of thing an entry holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// A key pair and its certificate.
    Certificate,
    /// A sign-in: a refresh token or a client secret.
    SignIn,
}

/// The name of an entry: its kind, and the cloud, tenant and account it belongs to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EntryName(String);

impl Kind {
    /// Returns the kind of the entry of this name, as [`EntryName`] writes it.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        match name.split(' ').next() {
            Some("certificate") => Some(Self::Certificate),
            Some("sign-in") => Some(Self::SignIn),
            _ => None,
        }
    }
}

impl EntryName {
    #[must_use]
    pub fn new(kind: Kind, cloud: &str, tenant: &str, account: &str) -> Self {
        let kind = match kind {
            Kind::Certificate => "certificate",
            Kind::SignIn => "sign-in",
        };
        Self(format!("{kind} {cloud} {tenant} {account}").to_lowercase())
    }
}

impl fmt::Display for EntryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What an entry holds.
#[derive(Clone, Debug)]
pub enum Entry {
    /// A private key (`RSAPrivateKey` of RFC 8017 in DER, or the 32 bytes of an Ed25519 key) and the blob of its certificate.
    Certificate {
        /// The private key.
        key: SecretBytes,
        /// The certificate blob of PROTOCOL.certkeys.
        certificate: Vec<u8>,
    },
    /// The key and X.509 certificate of a service principal.
    ClientCertificate {
        /// The key in DER.
        key: SecretBytes,
        /// The certificate in DER (RFC 5280).
        certificate: Vec<u8>,
    },
    /// The secret of a service principal.
    ClientSecret(Secret),
    /// The address where a pipeline requests an ID token, and the bearer token for it.
    OidcRequest { url: Secret, token: Secret },
    /// The refresh token of a user.
    RefreshToken(Secret),
}

impl Entry {
    /// Writes an entry.
    #[must_use]
    pub fn encode(&self) -> SecretBytes {
        let writer = Writer::new().byte(VERSION);
        let writer = match self {
            Self::RefreshToken(token) => writer.byte(1).string(token.expose().as_bytes()),
            Self::ClientSecret(secret) => writer.byte(2).string(secret.expose().as_bytes()),
            Self::Certificate { key, certificate } => {
                writer.byte(3).string(key.expose()).string(certificate)
            }
            Self::ClientCertificate { key, certificate } => {
                writer.byte(4).string(key.expose()).string(certificate)
            }
            Self::OidcRequest { url, token } => writer
                .byte(5)
                .string(url.expose().as_bytes())
                .string(token.expose().as_bytes()),
        };
        SecretBytes::new(writer.into_bytes())
    }

    /// Reads an entry.
    ///
    /// # Errors
    /// [`KeyringError::BadEntry`] if it has no form that this version knows.
    pub fn decode(name: &EntryName, bytes: &SecretBytes) -> Result<Self, KeyringError> {
        let bad = |reason| KeyringError::BadEntry {
            name: name.to_string(),
            reason,
        };
        let mut reader = Reader::new(bytes.expose());
        if reader.byte() != Some(VERSION) {
            return Err(bad("it was written by another version"));
        }
        let kind = reader.byte();
        let first = reader.string();
        let entry = match (kind, first) {
            (Some(1), Some(token)) => secret(token).map(Self::RefreshToken),
            (Some(2), Some(token)) => secret(token).map(Self::ClientSecret),
            (Some(3), Some(key)) => reader.string().map(|certificate| Self::Certificate {
                key: SecretBytes::new(key.to_vec()),
                certificate: certificate.to_vec(),
            }),
            (Some(4), Some(key)) => reader.string().map(|certificate| Self::ClientCertificate {
                key: SecretBytes::new(key.to_vec()),
                certificate: certificate.to_vec(),
            }),
            (Some(5), Some(url)) => {
                let token = reader.string().and_then(secret);
                secret(url)
                    .zip(token)
                    .map(|(url, token)| Self::OidcRequest { url, token })
            }
            _ => None,
        };
        entry
            .filter(|_| reader.is_empty())
            .ok_or_else(|| bad("it is cut or damaged"))
    }
}

fn secret(bytes: &[u8]) -> Option<Secret> {
    String::from_utf8(bytes.to_vec()).ok().map(Secret::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name() -> EntryName {
        EntryName::new(Kind::Certificate, "AzureCloud", "T", "Alice@contoso.com")
    }

    #[test]
    fn names_compare_without_regard_to_case() {
        assert_eq!(
            name().to_string(),
            "certificate azurecloud t alice@contoso.com"
        );
    }

    #[test]
    fn what_is_written_is_read_and_nothing_that_is_cut_or_longer() {
        let entry = Entry::Certificate {
            key: SecretBytes::new(vec![1, 2, 3]),
            certificate: vec![4, 5],
        };
        let bytes = entry.encode();
        let Entry::Certificate { key, certificate } = Entry::decode(&name(), &bytes).unwrap()
        else {
            panic!("another kind");
        };
        assert_eq!(
            (key.expose(), &certificate[..]),
            (&[1, 2, 3][..], &[4, 5][..])
        );
        for length in 0..bytes.expose().len() {
            let cut = SecretBytes::new(bytes.expose()[..length].to_vec());
            assert!(Entry::decode(&name(), &cut).is_err(), "{length} bytes");
        }
        let longer = SecretBytes::new([bytes.expose(), &[0]].concat());
        assert!(Entry::decode(&name(), &longer).is_err());
    }

    #[test]
    fn what_pipelines_sign_in_with_is_read_as_it_was_written() {
        let text = |text: &str| Secret::new(text.to_owned());
        let request = Entry::OidcRequest {
            url: text("https://token.example"),
            token: text("t"),
        };
        let Ok(Entry::OidcRequest { url, token }) = Entry::decode(&name(), &request.encode())
        else {
            panic!("another kind");
        };
        assert_eq!(
            (url.expose(), token.expose()),
            ("https://token.example", "t")
        );
        let client = Entry::ClientCertificate {
            key: SecretBytes::new(vec![1]),
            certificate: vec![2],
        };
        let Ok(Entry::ClientCertificate { key, certificate }) =
            Entry::decode(&name(), &client.encode())
        else {
            panic!("another kind");
        };
        assert_eq!((key.expose(), &certificate[..]), (&[1][..], &[2][..]));
    }

    #[test]
    fn a_name_tells_its_kind() {
        for kind in [Kind::Certificate, Kind::SignIn] {
            let name = EntryName::new(kind, "AzureCloud", "t", "a");
            assert_eq!(Kind::of(&name.to_string()), Some(kind));
        }
        assert_eq!(Kind::of("trial"), None);
    }

    #[test]
    fn an_entry_of_another_version_is_said_to_be_that() {
        let refusal = Entry::decode(&name(), &SecretBytes::new(vec![2, 1])).unwrap_err();
        assert!(refusal.to_string().contains("another version"), "{refusal}");
    }

    #[test]
    fn debug_shows_no_secret() {
        let text = format!(
            "{:?}",
            Entry::RefreshToken(Secret::new("hunter2".to_owned()))
        );
        assert_eq!(text, "RefreshToken(Secret(redacted))");
    }
}
