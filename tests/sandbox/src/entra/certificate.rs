//! The SSH certificate authority: from a JWK to a certificate, as PROTOCOL.certkeys has it.
//!
//! <https://github.com/openssh/openssh-portable/blob/master/PROTOCOL.certkeys>

use serde::Deserialize;

use super::error::EntraError;
use crate::encoding::{SshWriter, base64, decode_base64url, random_bytes};
use crate::fault::Variation;
use crate::keys::SigningKey;

const RSA_CERTIFICATE: &str = "ssh-rsa-cert-v01@openssh.com";
const ED25519_CERTIFICATE: &str = "ssh-ed25519-cert-v01@openssh.com";
const USER_CERTIFICATE: u32 = 1;
const HOST_CERTIFICATE: u32 = 2;
/// What the service asks of a key, at least.
const MIN_MODULUS_BITS: usize = 2_048;
/// A modulus above this many bytes is not a key but an attack.
const MAX_MODULUS_BYTES: usize = 2_048;
/// How far before its issue a certificate becomes valid, for clocks that are behind.
const BACKDATED_SECONDS: u64 = 300;

/// How long an Ed25519 key is, RFC 8032, section 5.1.5.
const ED25519_BYTES: usize = 32;

/// A client's public key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum ClientKey {
    Ed25519(Vec<u8>),
    Rsa { modulus: Vec<u8>, exponent: Vec<u8> },
}

/// RFC 7517, RFC 7518, section 6.3, and RFC 8037, section 2.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    crv: Option<String>,
    x: Option<String>,
    n: Option<String>,
    e: Option<String>,
}

impl ClientKey {
    /// Parses `req_cnf`, and checks it against `key_id`.
    ///
    /// The numbers are base64url with or without padding, with or without leading zero bytes.
    pub(crate) fn parse(
        req_cnf: &str,
        key_id: Option<&str>,
        certifies_ed25519: bool,
    ) -> Result<Self, EntraError> {
        let jwk: Jwk =
            serde_json::from_str(req_cnf).map_err(|_| malformed("'req_cnf' is not a JWK"))?;
        if jwk.kid.as_deref() != key_id || key_id.is_none() {
            return Err(malformed("'key_id' is not the 'kid' of 'req_cnf'"));
        }
        if certifies_ed25519 && jwk.kty == "OKP" {
            return Self::ed25519(&jwk);
        }
        Self::rsa(&jwk)
    }

    fn ed25519(jwk: &Jwk) -> Result<Self, EntraError> {
        if jwk.crv.as_deref() != Some("Ed25519") {
            return Err(malformed("'crv' of 'req_cnf' is not 'Ed25519'"));
        }
        jwk.x
            .as_deref()
            .and_then(decode_base64url)
            .filter(|public| public.len() == ED25519_BYTES)
            .map(Self::Ed25519)
            .ok_or_else(|| malformed("'x' of 'req_cnf' is not a key"))
    }

    fn rsa(jwk: &Jwk) -> Result<Self, EntraError> {
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
        if modulus.len() > MAX_MODULUS_BYTES || exponent.len() > modulus.len() {
            return Err(malformed("the key of 'req_cnf' is too long"));
        }
        if bits(&modulus) < MIN_MODULUS_BITS {
            return Err(EntraError::invalid_request(
                50_032,
                "WeakRsaKey - Indicates the erroneous user attempt to use a weak RSA key.",
            ));
        }
        Ok(Self::Rsa { modulus, exponent })
    }

    const fn certificate_algorithm(&self) -> &'static str {
        match self {
            Self::Ed25519(_) => ED25519_CERTIFICATE,
            Self::Rsa { .. } => RSA_CERTIFICATE,
        }
    }

    fn write(&self, blob: &mut SshWriter) {
        match self {
            Self::Ed25519(public) => blob.string(public),
            Self::Rsa { modulus, exponent } => blob.mpint(exponent).mpint(modulus),
        };
    }
}

fn malformed(what: &str) -> EntraError {
    EntraError::invalid_request(
        9_002_313,
        format!("Invalid request. Request is malformed or invalid: {what}."),
    )
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
    /// The login name, as the directory spells it.
    pub(crate) principal: String,
}

/// What of a certificate is the same for every key and subject.
struct Shape {
    serial: u64,
    backdated_seconds: u64,
    algorithm: &'static str,
    sign: fn(&SigningKey, &[u8]) -> Vec<u8>,
}

impl Shape {
    fn of(variation: Variation) -> Self {
        match variation {
            Variation::Odd => Self {
                serial: u64::from_be_bytes(random_bytes()) | 1,
                backdated_seconds: 60,
                algorithm: "rsa-sha2-512",
                sign: SigningKey::sign_sha512,
            },
            _ => Self {
                serial: 0,
                backdated_seconds: BACKDATED_SECONDS,
                algorithm: "rsa-sha2-256",
                sign: SigningKey::sign_sha256,
            },
        }
    }
}

/// Signs a certificate and returns its blob as base64, as `access_token` has it.
///
/// ```text
/// serial             0
/// key id             {oid}@{tid}
/// valid              from 300 s before its issue to `lifetime` after it
/// critical options   none
/// extensions         see `extensions`
/// signature          rsa-sha2-256
/// ```
pub(crate) fn issue(
    authority: &SigningKey,
    now: u64,
    lifetime: u64,
    key: &ClientKey,
    subject: &Subject,
    variation: Variation,
) -> String {
    let shape = Shape::of(variation);
    let (valid_after, valid_before) = match variation {
        Variation::Constrained => (now, u64::MAX),
        Variation::Expired => (now.saturating_sub(3_600 + lifetime), now - 3_600),
        Variation::NotYetValid => (now + 3_600, now + 3_600 + lifetime),
        _ => (now.saturating_sub(shape.backdated_seconds), now + lifetime),
    };
    let kind = match variation {
        Variation::Host => HOST_CERTIFICATE,
        _ => USER_CERTIFICATE,
    };
    let key = match variation {
        Variation::WrongKey => &ClientKey::Rsa {
            modulus: authority.modulus(),
            exponent: authority.exponent(),
        },
        _ => key,
    };
    let mut blob = SshWriter::default();
    blob.string(key.certificate_algorithm())
        .string(random_bytes::<32>());
    key.write(&mut blob);
    blob.uint64(shape.serial)
        .uint32(kind)
        .string(format!("{}@{}", subject.oid, subject.tenant))
        .string(list(&principals(subject, variation)))
        .uint64(valid_after)
        .uint64(valid_before)
        .string(critical_options(variation))
        .string(extensions(subject, variation))
        .string("")
        .string(authority.ssh_blob());
    let to_be_signed = blob.into_bytes();
    let mut signature = SshWriter::default();
    signature
        .string(shape.algorithm)
        .string((shape.sign)(authority, &to_be_signed));
    let mut signed = SshWriter::default();
    signed.string(signature.into_bytes());
    base64([to_be_signed, signed.into_bytes()].concat())
}

fn critical_options(variation: Variation) -> Vec<u8> {
    let mut options = SshWriter::default();
    if variation == Variation::Constrained {
        for (name, value) in [
            ("force-command", "uptime"),
            ("source-address", "10.0.0.0/8"),
            ("tea@example.com", ""),
        ] {
            let mut data = SshWriter::default();
            data.string(value);
            options.string(name).string(data.into_bytes());
        }
    }
    options.into_bytes()
}

/// Returns the only principal, in lower case.
fn principals(subject: &Subject, variation: Variation) -> Vec<String> {
    match variation {
        Variation::NoPrincipals => Vec::new(),
        Variation::Odd => vec![subject.principal.clone(), "another".to_owned()],
        _ => vec![subject.principal.to_lowercase()],
    }
}

fn list(names: &[String]) -> Vec<u8> {
    let mut list = SshWriter::default();
    for name in names {
        list.string(name);
    }
    list.into_bytes()
}

/// What a certificate permits: everything that OpenSSH knows.
const PERMISSIONS: [&str; 5] = [
    "permit-X11-forwarding",
    "permit-agent-forwarding",
    "permit-port-forwarding",
    "permit-pty",
    "permit-user-rc",
];

/// Returns the extensions, sorted by the bytes of their names, as they have to be.
fn extensions(subject: &Subject, variation: Variation) -> Vec<u8> {
    let facts = [
        ("displayname@sshservice.azure.net", &subject.display_name),
        ("oid@sshservice.azure.net", &subject.oid),
        ("tid@sshservice.azure.net", &subject.tenant),
    ];
    let facts = facts.map(|(name, text)| {
        let mut value = SshWriter::default();
        value.string(text);
        (name, value.into_bytes())
    });
    let permissions = PERMISSIONS.map(|name| (name, Vec::new()));
    let mut named: Vec<(&str, Vec<u8>)> = facts.into_iter().chain(permissions).collect();
    if variation == Variation::Odd {
        // Out of order, a value that is no string, and a terminal alone.
        named.retain(|(name, _)| *name == "permit-pty" || name.contains('@'));
        named.reverse();
        named.push(("note@example.com", b"not packed".to_vec()));
    } else {
        named.sort_unstable();
    }
    let mut extensions = SshWriter::default();
    for (name, value) in named {
        extensions.string(name).string(value);
    }
    extensions.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::{ClientKey, EntraError};
    use crate::encoding::base64url;

    fn parse(text: &str, key_id: Option<&str>) -> Result<ClientKey, EntraError> {
        ClientKey::parse(text, key_id, false)
    }

    fn jwk(kty: &str, modulus: &[u8]) -> String {
        format!(
            r#"{{"kty":"{kty}","n":"{}","e":"AQAB","kid":"k"}}"#,
            base64url(modulus)
        )
    }

    #[test]
    fn modulus_with_leading_zero_and_padding_is_the_same_key() {
        let bare = parse(&jwk("RSA", &[0xff; 256]), Some("k")).unwrap();
        let mut mpint = vec![0];
        mpint.extend([0xff; 256]);
        let padded = jwk("RSA", &mpint).replacen("\",\"e\"", "=\",\"e\"", 1);
        let padded = parse(&padded, Some("k")).unwrap();
        assert_eq!(bare, padded);
    }

    #[test]
    fn modulus_of_2047_bits_is_refused_as_weak() {
        let mut modulus = [0xff; 256];
        modulus[0] = 0x7f;
        let refused = parse(&jwk("RSA", &modulus), Some("k")).unwrap_err();
        assert_eq!(refused.aadsts, 50_032);
    }

    #[test]
    fn other_key_types_and_other_key_ids_are_refused() {
        let refused = |text: &str, key_id| parse(text, key_id).unwrap_err().aadsts;
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
    #[test]
    fn ed25519_keys_are_certified_only_where_that_was_asked_for() {
        let jwk = |curve: &str, length: usize| {
            let x = base64url(vec![7; length]);
            format!(r#"{{"kty":"OKP","crv":"{curve}","x":"{x}","kid":"k"}}"#)
        };
        let good = jwk("Ed25519", 32);
        assert!(parse(&good, Some("k")).is_err());
        let key = ClientKey::parse(&good, Some("k"), true).unwrap();
        assert_eq!(key, ClientKey::Ed25519(vec![7; 32]));
        for bad in [jwk("Ed25519", 31), jwk("Ed25519", 33), jwk("X25519", 32)] {
            let refused = ClientKey::parse(&bad, Some("k"), true).unwrap_err();
            assert_eq!(refused.aadsts, 9_002_313, "{bad}");
        }
    }
}
