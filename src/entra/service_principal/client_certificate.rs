use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use p12_keystore::KeyStore;
use ring::signature::{KeyPair as _, RSA_PSS_SHA256, RsaKeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use url::Url;
use x509_cert::der::Decode as _;
use zeroize::Zeroizing;

use crate::hex;
use crate::host::files::decode_text;
use crate::host::random;
use crate::ids::ClientId;
use crate::secret::{Secret, SecretBytes};
use crate::time::UnixTime;

/// How long an assertion is valid; it is sent at once.
const LIFETIME: Duration = Duration::from_secs(300);

/// A certificate of an application, and its RSA key.
///
/// The SDK's own credential for this links OpenSSL; this one signs with libraries that are here anyway.
#[derive(Clone)]
pub(crate) struct ClientCertificate {
    /// The key in DER: `PrivateKeyInfo` (PKCS#8) or `RSAPrivateKey` (PKCS#1).
    pub key: SecretBytes,
    /// The certificate in DER (RFC 5280).
    pub certificate: Vec<u8>,
}

/// Why a client certificate cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientCertificateError {
    /// The PEM key has a passphrase.
    #[error("its private key is encrypted")]
    EncryptedKey,
    /// It is neither PEM nor PKCS#12, or is damaged.
    #[error("it is neither PEM nor PKCS#12")]
    Malformed,
    /// It is a certificate or a key in DER, each of which lacks the other.
    #[error("it is {found} in DER, which lacks {lacks}")]
    OnlyDer {
        /// What it is.
        found: &'static str,
        /// What a client certificate needs besides.
        lacks: &'static str,
    },
    /// A part is missing.
    #[error("it holds no {0}")]
    Missing(&'static str),
    /// None of its certificates is for its key.
    #[error("none of its certificates is for its private key")]
    OtherKey,
    /// The key does not sign.
    #[error("its private key does not sign")]
    Signing,
    /// The key is not of a kind that is used here.
    #[error("its private key is not an RSA key of 2048 to 4096 bits")]
    UnusableKey,
    /// It is PKCS#12, and the password does not open it.
    #[error("the password does not open it")]
    WrongPassword,
}

impl ClientCertificate {
    /// Reads PEM with a private key and its certificate, in any order and with others beside it, or PKCS#12 (RFC 7292), which
    /// may be base64 text. What it is shows in the contents; a byte order mark, line ends of Windows and UTF-16 are no obstacle.
    ///
    /// # Errors
    /// [`ClientCertificateError`].
    pub(crate) fn parse(
        bytes: &SecretBytes,
        password: Option<&Secret>,
    ) -> Result<Self, ClientCertificateError> {
        let (key, certificates) = match decode_text(bytes.expose()) {
            Some(text) if text.contains("-----BEGIN ") => read_pem(&text)?,
            Some(text) => read_pkcs12(&from_base64(&text)?, password)?,
            None => read_pkcs12(bytes, password)?,
        };
        let public_key = rsa(&key)?.public_key().as_ref().to_vec();
        if certificates.is_empty() {
            return Err(ClientCertificateError::Missing("certificate"));
        }
        let certificate = certificates
            .into_iter()
            .find(|certificate| is_for(certificate, &public_key))
            .ok_or(ClientCertificateError::OtherKey)?;
        Ok(Self { key, certificate })
    }

    /// Returns an assertion of [Microsoft's form](https://learn.microsoft.com/entra/identity-platform/certificate-credentials):
    /// a JSON Web Token (RFC 7519) for the token endpoint, which the certificate's key signs.
    ///
    /// # Errors
    /// [`ClientCertificateError::UnusableKey`] or [`ClientCertificateError::Signing`].
    pub(crate) fn sign_assertion(
        &self,
        client_id: &ClientId,
        token_url: &Url,
        now: UnixTime,
    ) -> Result<Secret, ClientCertificateError> {
        let mut id = [0; 16];
        random::fill(&mut id).map_err(|_| ClientCertificateError::Signing)?;
        let header = json!({
            "alg": "PS256", "typ": "JWT",
            "x5t#S256": URL_SAFE_NO_PAD.encode(Sha256::digest(&self.certificate)),
        });
        let claims = json!({
            "aud": token_url.as_str(), "iss": client_id, "sub": client_id, "jti": hex::encode(&id),
            "nbf": now.as_seconds(), "exp": now.after(LIFETIME).as_seconds(),
        });
        let encode = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", encode(&header), encode(&claims));
        let key = rsa(&self.key)?;
        let mut signature = vec![0; key.public().modulus_len()];
        key.sign(
            &RSA_PSS_SHA256,
            &random::source(),
            signed.as_bytes(),
            &mut signature,
        )
        .map_err(|_| ClientCertificateError::Signing)?;
        let signature = URL_SAFE_NO_PAD.encode(signature);
        Ok(Secret::new(format!("{signed}.{signature}")))
    }
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientCertificate(redacted)")
    }
}

/// A private key in DER, and the certificates beside it.
type KeyAndCertificates = (SecretBytes, Vec<Vec<u8>>);

/// Reads PKCS#12 in base64, as secret stores of pipelines keep it.
fn from_base64(text: &str) -> Result<SecretBytes, ClientCertificateError> {
    let packed: Zeroizing<Vec<u8>> = Zeroizing::new(
        text.bytes()
            .filter(|byte| !byte.is_ascii_whitespace())
            .collect(),
    );
    STANDARD
        .decode(&packed)
        .map(SecretBytes::new)
        .map_err(|_| ClientCertificateError::Malformed)
}

fn read_pem(text: &str) -> Result<KeyAndCertificates, ClientCertificateError> {
    if text.contains("ENCRYPTED") {
        return Err(ClientCertificateError::EncryptedKey);
    }
    let key = PrivateKeyDer::from_pem_slice(text.as_bytes())
        .map_err(|_| ClientCertificateError::Missing("private key"))?;
    let certificates = CertificateDer::pem_slice_iter(text.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| ClientCertificateError::Malformed)?;
    let key = SecretBytes::new(key.secret_der().to_vec());
    let certificates = certificates.into_iter().map(|one| one.to_vec());
    Ok((key, certificates.collect()))
}

fn read_pkcs12(
    bytes: &SecretBytes,
    password: Option<&Secret>,
) -> Result<KeyAndCertificates, ClientCertificateError> {
    // A PFX is a SEQUENCE; what begins otherwise was never meant to be one.
    if bytes.expose().first() != Some(&0x30) {
        return Err(ClientCertificateError::Malformed);
    }
    if let Some(only) = lone_der(bytes) {
        return Err(only);
    }
    let password = password.map_or("", Secret::expose);
    let store = KeyStore::from_pkcs12(bytes.expose(), password)
        .map_err(|_| ClientCertificateError::WrongPassword)?;
    let (_, chain) = store
        .private_key_chain()
        .ok_or(ClientCertificateError::Missing("private key"))?;
    let certificates = chain.chain().iter().map(|one| one.as_der().to_vec());
    Ok((
        SecretBytes::new(chain.key().to_vec()),
        certificates.collect(),
    ))
}

/// Recognizes a certificate or a private key by itself in DER (`.cer`, `.crt`, `.der`, `.key`).
fn lone_der(bytes: &SecretBytes) -> Option<ClientCertificateError> {
    let (found, lacks) = if x509_cert::Certificate::from_der(bytes.expose()).is_ok() {
        ("a certificate", "its private key")
    } else if rsa(bytes).is_ok() {
        ("a private key", "its certificate")
    } else {
        return None;
    };
    Some(ClientCertificateError::OnlyDer { found, lacks })
}

fn rsa(key: &SecretBytes) -> Result<RsaKeyPair, ClientCertificateError> {
    RsaKeyPair::from_pkcs8(key.expose())
        .or_else(|_| RsaKeyPair::from_der(key.expose()))
        .map_err(|_| ClientCertificateError::UnusableKey)
}

/// Returns whether a certificate is for this public key (`RSAPublicKey` of RFC 8017).
fn is_for(certificate: &[u8], public_key: &[u8]) -> bool {
    x509_cert::Certificate::from_der(certificate).is_ok_and(|certificate| {
        let info = certificate.tbs_certificate.subject_public_key_info;
        info.subject_public_key.raw_bytes() == public_key
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by `generate.sh` with the password `correct horse`; the key is used nowhere else.
    const PEM: &str = include_str!("../testdata/client.pem");
    const OTHER_PEM: &str = include_str!("../testdata/other.pem");
    const PFX: &[u8] = include_bytes!("../testdata/client.pfx");

    fn parse(bytes: &[u8], password: Option<&str>) -> Result<ClientCertificate, String> {
        let password = password.map(|password| Secret::new(password.to_owned()));
        ClientCertificate::parse(&SecretBytes::new(bytes.to_vec()), password.as_ref())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn pem_and_pkcs12_hold_the_same() {
        let (pem, pfx) = (
            parse(PEM.as_bytes(), None).unwrap(),
            parse(PFX, Some("correct horse")).unwrap(),
        );
        assert_eq!(pem.certificate, pfx.certificate);
        assert_eq!(
            rsa(&pem.key).unwrap().public_key().as_ref(),
            rsa(&pfx.key).unwrap().public_key().as_ref()
        );
    }

    #[test]
    fn the_certificate_of_the_key_is_found_among_others() {
        let (other, _) = OTHER_PEM.split_once("-----BEGIN PRIVATE KEY").unwrap();
        let found = parse(format!("{other}{PEM}").as_bytes(), None).unwrap();
        assert_eq!(
            found.certificate,
            parse(PEM.as_bytes(), None).unwrap().certificate
        );
    }

    #[test]
    fn byte_order_marks_line_ends_of_windows_and_base64_are_no_obstacle() {
        let expected = parse(PEM.as_bytes(), None).unwrap().certificate;
        let windows = PEM.replace('\n', "\r\n");
        let utf16 = |to_bytes: fn(u16) -> [u8; 2], mark: u16| {
            let units = std::iter::once(mark).chain(windows.encode_utf16());
            units.flat_map(to_bytes).collect::<Vec<u8>>()
        };
        let wrapped = STANDARD.encode(PFX);
        let wrapped = wrapped
            .as_bytes()
            .chunks(64)
            .collect::<Vec<_>>()
            .join(&b"\r\n"[..]);
        for bytes in [
            format!("\u{feff}{PEM}").into_bytes(),
            format!("\u{feff}{windows}").into_bytes(),
            format!("\u{feff}Bag Attributes\r\n    localKeyID: 01\r\n{windows}\r\n").into_bytes(),
            utf16(u16::to_le_bytes, 0xfeff),
            utf16(u16::to_be_bytes, 0xfeff),
            wrapped.clone(),
            [b"\xef\xbb\xbf", &wrapped[..], b"\n"].concat(),
        ] {
            let parsed = parse(&bytes, Some("correct horse"));
            assert_eq!(parsed.unwrap().certificate, expected, "{:?}", &bytes[..8]);
        }
        assert_eq!(
            parse(b"\xff\xfea", None).unwrap_err(),
            "it is neither PEM nor PKCS#12"
        );
    }

    #[test]
    fn der_without_its_other_half_is_named() {
        let parsed = parse(PEM.as_bytes(), None).unwrap();
        assert_eq!(
            parse(&parsed.certificate, None).unwrap_err(),
            "it is a certificate in DER, which lacks its private key"
        );
        assert_eq!(
            parse(parsed.key.expose(), None).unwrap_err(),
            "it is a private key in DER, which lacks its certificate"
        );
    }

    #[test]
    fn each_thing_that_is_wrong_has_its_sentence() {
        let (certificate, key) = PEM.split_at(PEM.find("-----BEGIN PRIVATE KEY").unwrap());
        let (other_certificate, _) =
            OTHER_PEM.split_at(OTHER_PEM.find("-----BEGIN PRIVATE KEY").unwrap());
        let cases: [(Vec<u8>, &str); 6] = [
            (b"hello".to_vec(), "it is neither PEM nor PKCS#12"),
            (PFX.to_vec(), "the password does not open it"),
            (certificate.into(), "it holds no private key"),
            (key.into(), "it holds no certificate"),
            (
                [other_certificate, key].concat().into(),
                "none of its certificates is for its private key",
            ),
            (
                key.replace("BEGIN PRIVATE", "BEGIN ENCRYPTED PRIVATE")
                    .into(),
                "its private key is encrypted",
            ),
        ];
        for (bytes, expected) in cases {
            assert_eq!(parse(&bytes, None).unwrap_err(), expected);
        }
    }

    #[test]
    fn the_assertion_is_for_the_token_endpoint_and_short_lived() {
        let certificate = parse(PEM.as_bytes(), None).unwrap();
        let client_id = "a9911ca7-0000-4000-8000-000000000301".parse().unwrap();
        let url = Url::parse("https://login.example/t/oauth2/v2.0/token").unwrap();
        let now = UnixTime::from_seconds(1_700_000_000);
        let sign = || certificate.sign_assertion(&client_id, &url, now).unwrap();
        let token = sign();
        let part = |index: usize| {
            let text = token.expose().split('.').nth(index).unwrap();
            let json = URL_SAFE_NO_PAD.decode(text).unwrap();
            serde_json::from_slice::<serde_json::Value>(&json).unwrap()
        };
        assert_eq!(part(0)["alg"], "PS256");
        assert_eq!(part(1)["aud"], url.as_str());
        assert_eq!(part(1)["exp"], 1_700_000_300);
        assert_ne!(sign().expose(), token.expose(), "no assertion serves twice");
    }
}
