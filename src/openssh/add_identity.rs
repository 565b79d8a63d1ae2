//! Handing a key to another agent for a while (`SSH_AGENTC_ADD_ID_CONSTRAINED`, draft-ietf-sshm-ssh-agent).
//!
//! ```text
//! byte     25
//! string   "ssh-rsa"                  or "ssh-rsa-cert-v01@openssh.com"
//! mpint    n, e                       or string: the certificate blob
//! mpint    d, iqmp, p, q
//! string   comment
//! byte     1 (SSH_AGENT_CONSTRAIN_LIFETIME)
//! uint32   seconds
//! ```
//!
//! Of an Ed25519 key:
//!
//! ```text
//! string   "ssh-ed25519"              or "ssh-ed25519-cert-v01@openssh.com", and string: the certificate blob
//! string   the public key
//! string   the private key and the public one after it
//! ```

use zeroize::Zeroizing;

use crate::certificate::PrivateNumbers;
use crate::rfc4251::Writer;

const ADD_ID_CONSTRAINED: u8 = 25;
const CONSTRAIN_LIFETIME: u8 = 1;
const ED25519: &str = "ssh-ed25519";
const ED25519_CERTIFICATE: &str = "ssh-ed25519-cert-v01@openssh.com";
const RSA: &str = "ssh-rsa";
const RSA_CERTIFICATE: &str = "ssh-rsa-cert-v01@openssh.com";

/// Returns the message, with its length, that hands over a key for so many seconds: with a certificate, or bare. An agent holds
/// the two side by side, and clients that take the certificate from a file ask for the bare one.
#[must_use]
pub(crate) fn add(
    numbers: &PrivateNumbers,
    certificate: Option<&[u8]>,
    comment: &str,
    seconds: u32,
) -> Zeroizing<Vec<u8>> {
    let writer = Writer::new().byte(ADD_ID_CONSTRAINED);
    let writer = match numbers {
        PrivateNumbers::Ed25519 { public, both } => match certificate {
            Some(blob) => writer.string(ED25519_CERTIFICATE.as_bytes()).string(blob),
            None => writer.string(ED25519.as_bytes()),
        }
        .string(public)
        .string(both.expose()),
        PrivateNumbers::Rsa(numbers) => match certificate {
            Some(blob) => writer.string(RSA_CERTIFICATE.as_bytes()).string(blob),
            None => writer
                .string(RSA.as_bytes())
                .string(&numbers.n)
                .string(&numbers.e),
        }
        .string(numbers.d.expose())
        .string(numbers.iqmp.expose())
        .string(numbers.p.expose())
        .string(numbers.q.expose()),
    };
    let message = writer
        .string(comment.as_bytes())
        .byte(CONSTRAIN_LIFETIME)
        .uint32(seconds);
    let message = Zeroizing::new(message.into_bytes());
    Zeroizing::new(Writer::new().string(&message).into_bytes())
}
