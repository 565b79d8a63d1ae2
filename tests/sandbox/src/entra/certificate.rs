//! The SSH certificate authority: from a JWK to a certificate, as PROTOCOL.certkeys has it.
//!
//! <https://github.com/openssh/openssh-portable/blob/master/PROTOCOL.certkeys>

use serde::Deserialize;

use super::error::EntraError;
use crate::encoding::{SshWriter, base64, decode_base64url, random_bytes};
use crate::fault::Variation;
use crate::keys::SigningKey;

const CERTIFICATE_ALGORITHM: &str = "ssh-rsa-cert-v01@openssh.com";
const SIGNATURE_ALGORITHM: &str = "rsa-sha2-512";
const USER_CERTIFICATE: u32 = 1;
const HOST_CERTIFICATE: u32 = 2;
/// What the service asks of a key, at least.
const MIN_MODULUS_BITS: usize = 2_048;
/// A modulus above this many bytes is not a key but an attack.
const MAX_MODULUS_BYTES: usize = 2_048;
/// How far before now a certificate begins, for clocks that are late.
const BACKDATED_SECONDS: u64 = 60;

/// A client's RSA public key.
#[derive(Clone, Debug)]
pub(crate) struct ClientKey {
    modulus: Vec<u8>,
    exponent: Vec<u8>,
}

/// RFC 7517 and RFC 7518, section 6.3.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    n: Option<String>,
    e: Option<String>,
}

impl ClientKey {
    /// Parses `req_cnf`, and checks it against `key_id`.
    ///
    /// The numbers are base64url with or without padding, with or without leading zero bytes.
    pub(crate) fn parse(req_cnf: &str, key_id: Option<&str>) -> Result<Self, EntraError> {
        let malformed = |what: &str| {
            EntraError::invalid_request(
                9_002_313,
                format!("Invalid request. Request is malformed or invalid: {what}."),
            )
        };
        let jwk: Jwk =
            serde_json::from_str(req_cnf).map_err(|_| malformed("'req_cnf' is not a JWK"))?;
        if jwk.kty != "RSA" {
            return Err(malformed(&format!(
                "the key type '{}' of 'req_cnf' is not supported, only 'RSA' is",
                jwk.kty
            )));
        }
        let number = |field: Option<&str>| {
            let bytes = decode_base64url(field?)?;
            let start = bytes.iter().position(|byte| *byte != 0)?;
            Some(bytes[start..].to_vec())
        };
        let modulus = number(jwk.n.as_deref())
            .ok_or_else(|| malformed("'n' of 'req_cnf' is not a number"))?;
        let exponent = number(jwk.e.as_deref())
            .ok_or_else(|| malformed("'e' of 'req_cnf' is not a number"))?;
        if jwk.kid.as_deref() != key_id || key_id.is_none() {
            return Err(malformed("'key_id' is not the 'kid' of 'req_cnf'"));
        }
        if modulus.len() > MAX_MODULUS_BYTES || exponent.len() > modulus.len() {
            return Err(malformed("the key of 'req_cnf' is too long"));
        }
        if bits(&modulus) < MIN_MODULUS_BITS {
            return Err(EntraError::invalid_request(
                50_032,
                "WeakRsaKey - Indicates the erroneous user attempt to use a weak RSA key.",
            ));
        }
        Ok(Self { modulus, exponent })
    }
}

fn bits(number: &[u8]) -> usize {
    let leading = number.first().map_or(0, |first| first.leading_zeros());
    number.len() * 8 - usize::try_from(leading).unwrap_or_default()
}

/// Whom a certificate is for.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    pub(crate) display_name: String,
    pub(crate) oid: String,
    pub(crate) tenant: String,
    pub(crate) principals: Vec<String>,
}

/// Signs a certificate and returns its blob as base64, as `access_token` has it.
pub(crate) fn issue(
    authority: &SigningKey,
    now: u64,
    lifetime: u64,
    key: &ClientKey,
    subject: &Subject,
    variation: Variation,
) -> String {
    let (valid_after, valid_before) = match variation {
        Variation::Expired => (now.saturating_sub(3_600 + lifetime), now - 3_600),
        Variation::NotYetValid => (now + 3_600, now + 3_600 + lifetime),
        _ => (now.saturating_sub(BACKDATED_SECONDS), now + lifetime),
    };
    let kind = match variation {
        Variation::Host => HOST_CERTIFICATE,
        _ => USER_CERTIFICATE,
    };
    let key = match variation {
        Variation::WrongKey => &ClientKey {
            modulus: authority.modulus(),
            exponent: authority.exponent(),
        },
        _ => key,
    };
    let principals: &[String] = match variation {
        Variation::NoPrincipals => &[],
        _ => &subject.principals,
    };
    let mut blob = SshWriter::default();
    blob.string(CERTIFICATE_ALGORITHM)
        .string(random_bytes::<32>())
        .mpint(&key.exponent)
        .mpint(&key.modulus)
        .uint64(u64::from_be_bytes(random_bytes()) >> 1)
        .uint32(kind)
        .string(format!("{}@{}", subject.oid, subject.tenant))
        .string(list(principals))
        .uint64(valid_after)
        .uint64(valid_before)
        .string("")
        .string(extensions(subject))
        .string("")
        .string(authority.ssh_blob());
    let to_be_signed = blob.into_bytes();
    let mut signature = SshWriter::default();
    signature
        .string(SIGNATURE_ALGORITHM)
        .string(authority.sign_sha512(&to_be_signed));
    let mut signed = SshWriter::default();
    signed.string(signature.into_bytes());
    base64([to_be_signed, signed.into_bytes()].concat())
}

fn list(names: &[String]) -> Vec<u8> {
    let mut list = SshWriter::default();
    for name in names {
        list.string(name);
    }
    list.into_bytes()
}

/// Returns the extensions in the order of their names, as they have to be.
fn extensions(subject: &Subject) -> Vec<u8> {
    let value = |text: &str| {
        let mut value = SshWriter::default();
        value.string(text);
        value.into_bytes()
    };
    let mut extensions = SshWriter::default();
    extensions
        .string("displayname@sshservice.azure.net")
        .string(value(&subject.display_name))
        .string("oid@sshservice.azure.net")
        .string(value(&subject.oid))
        .string("permit-pty")
        .string("")
        .string("tid@sshservice.azure.net")
        .string(value(&subject.tenant));
    extensions.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::ClientKey;
    use crate::encoding::base64url;

    fn jwk(kty: &str, modulus: &[u8]) -> String {
        format!(
            r#"{{"kty":"{kty}","n":"{}","e":"AQAB","kid":"k"}}"#,
            base64url(modulus)
        )
    }

    #[test]
    fn modulus_with_leading_zero_and_padding_is_the_same_key() {
        let bare = ClientKey::parse(&jwk("RSA", &[0xff; 256]), Some("k")).unwrap();
        let mut mpint = vec![0];
        mpint.extend([0xff; 256]);
        let padded = jwk("RSA", &mpint).replacen("\",\"e\"", "=\",\"e\"", 1);
        let padded = ClientKey::parse(&padded, Some("k")).unwrap();
        assert_eq!(bare.modulus, padded.modulus);
    }

    #[test]
    fn modulus_of_2047_bits_is_refused_as_weak() {
        let mut modulus = [0xff; 256];
        modulus[0] = 0x7f;
        let refused = ClientKey::parse(&jwk("RSA", &modulus), Some("k")).unwrap_err();
        assert_eq!(refused.aadsts, 50_032);
    }

    #[test]
    fn other_key_types_and_other_key_ids_are_refused() {
        let refused = |text: &str, key_id| ClientKey::parse(text, key_id).unwrap_err().aadsts;
        assert_eq!(
            refused(
                r#"{"kty":"OKP","crv":"Ed25519","x":"AA","kid":"k"}"#,
                Some("k")
            ),
            9_002_313
        );
        assert_eq!(refused(&jwk("RSA", &[0xff; 256]), Some("other")), 9_002_313);
        assert_eq!(refused(&jwk("RSA", &[0xff; 256]), None), 9_002_313);
        assert_eq!(refused("{", Some("k")), 9_002_313);
    }
}
