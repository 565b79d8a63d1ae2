use signature::Verifier as _;
use ssh_key::Signature;

use super::{CertificateError, PublicKey};
use crate::rfc4251::{Reader, Writer};
use crate::time::UnixTime;

/// The fields of a certificate blob, in the order of PROTOCOL.certkeys.
///
/// ```text
/// string  type                 "ssh-rsa-cert-v01@openssh.com"
/// string  nonce
/// …       the certified key    mpint e, mpint n for RSA
/// uint64  serial
/// uint32  kind                 1 user, 2 host
/// string  key id
/// string  valid principals     strings, packed
/// uint64  valid after
/// uint64  valid before
/// string  critical options     (string name, string data)*
/// string  extensions           (string name, string data)*
/// string  reserved
/// string  signature key
/// string  signature            over all that stands before it
/// ```
///
/// As lenient as OpenSSH's own client where a strict reader would refuse a certificate that works: options need not be
/// sorted, and their data need not be a packed string.
#[derive(Clone, Debug)]
pub(super) struct Parsed {
    pub(super) key_type: String,
    pub(super) public_key: PublicKey,
    pub(super) serial: u64,
    pub(super) kind: Kind,
    pub(super) key_id: String,
    pub(super) principals: Vec<String>,
    pub(super) valid_after: UnixTime,
    pub(super) valid_before: UnixTime,
    pub(super) critical_options: Vec<(String, String)>,
    pub(super) extensions: Vec<(String, String)>,
    pub(super) signature_key: PublicKey,
    pub(super) signature: Signature,
    /// How many bytes of the blob the signature covers.
    signed_length: usize,
}

/// What a certificate is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Host,
    User,
}

/// The most principals that a certificate may have; one with more is malformed.
const MAX_PRINCIPALS: usize = 256;
/// The most options of either kind that a certificate may have; one with more is malformed.
const MAX_OPTIONS: usize = 256;

impl Parsed {
    pub(super) fn from_blob(blob: &[u8]) -> Result<Self, CertificateError> {
        let mut reader = Reader::new(blob);
        let key_type = reader.text().ok_or(malformed("type"))?.to_owned();
        let _nonce = reader.string().ok_or(malformed("nonce"))?;
        let public_key = certified_key(&key_type, &mut reader)?;
        let serial = reader.uint64().ok_or(malformed("serial"))?;
        let kind = match reader.uint32() {
            Some(1) => Kind::User,
            Some(2) => Kind::Host,
            _ => return Err(malformed("kind")),
        };
        let key_id = reader.text().ok_or(malformed("key id"))?.to_owned();
        let principals = principals(reader.string().ok_or(malformed("principals"))?)?;
        let valid_after = reader.uint64().ok_or(malformed("validity"))?;
        let valid_before = reader.uint64().ok_or(malformed("validity"))?;
        let critical_options = options(reader.string().ok_or(malformed("critical options"))?)?;
        let extensions = options(reader.string().ok_or(malformed("extensions"))?)?;
        let _reserved = reader.string().ok_or(malformed("reserved"))?;
        let signature_key = reader.string().ok_or(malformed("signature key"))?;
        let signed_length = blob.len() - reader.rest().len();
        let signature = reader.string().ok_or(malformed("signature"))?;
        if !reader.is_empty() {
            return Err(malformed("end"));
        }
        Ok(Self {
            key_type,
            public_key,
            serial,
            kind,
            key_id,
            principals,
            valid_after: UnixTime::from_seconds(valid_after),
            valid_before: UnixTime::from_seconds(valid_before),
            critical_options,
            extensions,
            signature_key: PublicKey::from_blob(signature_key)
                .map_err(|_| malformed("signature key"))?,
            signature: Signature::try_from(signature).map_err(|_| malformed("signature"))?,
            signed_length,
        })
    }

    /// Returns whether the signature covers this blob and was made with the signature key.
    pub(super) fn signature_holds(&self, blob: &[u8]) -> bool {
        blob.get(..self.signed_length).is_some_and(|signed| {
            self.signature_key
                .key_data()
                .verify(signed, &self.signature)
                .is_ok()
        })
    }
}

const fn malformed(field: &'static str) -> CertificateError {
    CertificateError::Malformed { field }
}

/// Reads the fields of the certified key and puts the type of a plain key before them.
fn certified_key(key_type: &str, reader: &mut Reader<'_>) -> Result<PublicKey, CertificateError> {
    let plain_type = key_type
        .strip_suffix("-cert-v01@openssh.com")
        .ok_or(malformed("type"))?;
    let (plain_type, fields) = match plain_type {
        "ssh-ed25519" => (plain_type.to_owned(), 1),
        "ssh-rsa" | "ecdsa-sha2-nistp256" | "ecdsa-sha2-nistp384" | "ecdsa-sha2-nistp521" => {
            (plain_type.to_owned(), 2)
        }
        "sk-ssh-ed25519" => (format!("{plain_type}@openssh.com"), 2),
        "sk-ecdsa-sha2-nistp256" => (format!("{plain_type}@openssh.com"), 3),
        _ => return Err(malformed("type")),
    };
    let mut key = Writer::new().string(plain_type.as_bytes());
    for _ in 0..fields {
        key = key.string(reader.string().ok_or(malformed("key"))?);
    }
    PublicKey::from_blob(&key.into_bytes()).map_err(|_| malformed("key"))
}

fn principals(packed: &[u8]) -> Result<Vec<String>, CertificateError> {
    let mut reader = Reader::new(packed);
    let mut principals = Vec::new();
    while !reader.is_empty() && principals.len() < MAX_PRINCIPALS {
        principals.push(reader.text().ok_or(malformed("principals"))?.to_owned());
    }
    if reader.is_empty() {
        Ok(principals)
    } else {
        Err(malformed("principals"))
    }
}

fn options(packed: &[u8]) -> Result<Vec<(String, String)>, CertificateError> {
    let mut reader = Reader::new(packed);
    let mut options = Vec::new();
    while !reader.is_empty() && options.len() < MAX_OPTIONS {
        let name = reader.text().ok_or(malformed("options"))?.to_owned();
        let data = reader.string().ok_or(malformed("options"))?;
        options.push((name, option_text(data)));
    }
    if reader.is_empty() {
        Ok(options)
    } else {
        Err(malformed("options"))
    }
}

/// Returns an option's data as text: the string packed in it, or else the bytes themselves.
fn option_text(data: &[u8]) -> String {
    let mut reader = Reader::new(data);
    match reader.string() {
        Some(packed) if reader.is_empty() => String::from_utf8_lossy(packed).into_owned(),
        _ => String::from_utf8_lossy(data).into_owned(),
    }
}
