//! Signatures by host keys, as a key exchange has them (RFC 4253, section 8; RFC 8332; RFC 8709; RFC 5656).

use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA512, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey,
    VerificationAlgorithm,
};

use crate::rfc4251::Reader;

/// The outcome of verifying a signature.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// The signature is invalid, or the key or the signature is malformed.
    Fails,
    /// The signature is valid.
    Holds,
    /// The algorithm is not supported: a rare one (`ecdsa-sha2-nistp521`, `sk-…`) or an obsolete one (`ssh-dss`, RSA
    /// with SHA-1).
    Unsupported,
}

/// Verifies the signature of a host key over `data`. For a host certificate only its key is used: ssh itself checks which CA
/// signed it.
#[must_use]
pub fn verify(key_blob: &[u8], data: &[u8], signature_blob: &[u8]) -> Verdict {
    try_verify(key_blob, data, signature_blob).unwrap_or(Verdict::Fails)
}

fn try_verify(key_blob: &[u8], data: &[u8], signature_blob: &[u8]) -> Option<Verdict> {
    let mut key = Reader::new(key_blob);
    let kind = key.text()?;
    let kind = match kind.strip_suffix("-cert-v01@openssh.com") {
        Some(plain) => {
            let _nonce = key.string()?;
            plain
        }
        None => kind,
    };
    let mut signature = Reader::new(signature_blob);
    let algorithm = signature.text()?;
    let signed = signature.string()?;
    if !signature.is_empty() {
        return None;
    }
    let holds = match (kind, algorithm) {
        ("ssh-ed25519", "ssh-ed25519") => plain(&ED25519, key.string()?, data, signed),
        ("ssh-rsa", "rsa-sha2-256") => rsa(&RSA_PKCS1_2048_8192_SHA256, key, data, signed)?,
        ("ssh-rsa", "rsa-sha2-512") => rsa(&RSA_PKCS1_2048_8192_SHA512, key, data, signed)?,
        ("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256") => {
            ecdsa(&ECDSA_P256_SHA256_FIXED, 32, key, data, signed)?
        }
        ("ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384") => {
            ecdsa(&ECDSA_P384_SHA384_FIXED, 48, key, data, signed)?
        }
        _ => return Some(Verdict::Unsupported),
    };
    Some(if holds {
        Verdict::Holds
    } else {
        Verdict::Fails
    })
}

fn plain(
    algorithm: &'static dyn VerificationAlgorithm,
    key: &[u8],
    data: &[u8],
    signature: &[u8],
) -> bool {
    UnparsedPublicKey::new(algorithm, key)
        .verify(data, signature)
        .is_ok()
}

fn rsa(
    parameters: &RsaParameters,
    mut key: Reader<'_>,
    data: &[u8],
    signature: &[u8],
) -> Option<bool> {
    let (e, n) = (unsigned(key.string()?), unsigned(key.string()?));
    let components = RsaPublicKeyComponents { n, e };
    Some(components.verify(parameters, data, signature).is_ok())
}

fn ecdsa(
    algorithm: &'static dyn VerificationAlgorithm,
    scalar_bytes: usize,
    mut key: Reader<'_>,
    data: &[u8],
    signature: &[u8],
) -> Option<bool> {
    let _curve = key.text()?;
    let point = key.string()?;
    let mut numbers = Reader::new(signature);
    let mut fixed = Vec::with_capacity(2 * scalar_bytes);
    for number in [numbers.string()?, numbers.string()?] {
        let number = unsigned(number);
        let zeros = scalar_bytes.checked_sub(number.len())?;
        fixed.extend(std::iter::repeat_n(0, zeros));
        fixed.extend_from_slice(number);
    }
    Some(plain(algorithm, point, data, &fixed))
}

/// Returns the digits of a positive mpint (RFC 4251, section 5) without leading zeros.
fn unsigned(mpint: &[u8]) -> &[u8] {
    let zeros = mpint.iter().take_while(|byte| **byte == 0).count();
    mpint.get(zeros..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use ring::rand::SystemRandom;
    use ring::signature::{Ed25519KeyPair, KeyPair as _};

    use super::*;
    use crate::certificate::{KeyKind, KeyPair, SignatureAlgorithm};
    use crate::rfc4251::Writer;

    fn blob(strings: &[&[u8]]) -> Vec<u8> {
        strings
            .iter()
            .fold(Writer::new(), |writer, string| writer.string(string))
            .into_bytes()
    }

    #[test]
    fn ed25519_and_rsa_signatures_hold_for_what_was_signed_alone() {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        let ed25519 = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap();
        let public = ed25519.public_key().as_ref();
        let signed = ed25519.sign(b"session");
        let rsa = KeyPair::generate(KeyKind::Rsa { bits: 2048 }).unwrap();
        let by_rsa = rsa.sign(SignatureAlgorithm::RsaSha512, b"session").unwrap();
        for (key, signature) in [
            (
                blob(&[b"ssh-ed25519", public]),
                blob(&[b"ssh-ed25519", signed.as_ref()]),
            ),
            (
                blob(&[b"ssh-ed25519-cert-v01@openssh.com", b"nonce", public]),
                blob(&[b"ssh-ed25519", signed.as_ref()]),
            ),
            (rsa.public_key().blob(), blob(&[b"rsa-sha2-512", &by_rsa])),
        ] {
            assert_eq!(verify(&key, b"session", &signature), Verdict::Holds);
            assert_eq!(verify(&key, b"another", &signature), Verdict::Fails);
            for length in 0..signature.len() {
                assert_ne!(
                    verify(&key, b"session", &signature[..length]),
                    Verdict::Holds
                );
            }
        }
    }

    #[test]
    fn kinds_that_nobody_here_knows_are_told_apart_from_forgeries() {
        let key = blob(&[b"ecdsa-sha2-nistp521", b"nistp521", b"point"]);
        let signature = blob(&[b"ecdsa-sha2-nistp521", b"numbers"]);
        assert_eq!(verify(&key, b"", &signature), Verdict::Unsupported);
        let rsa = blob(&[b"ssh-rsa", b"\x03", b"\x05"]);
        let sha1 = blob(&[b"ssh-rsa", b"signature"]);
        assert_eq!(verify(&rsa, b"", &sha1), Verdict::Unsupported);
        assert_eq!(verify(b"", b"", b""), Verdict::Fails);
    }
}
