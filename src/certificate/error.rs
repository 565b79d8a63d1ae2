use crate::ids::KeyKind;
use crate::line::Line;
use crate::time::{Spoken, UnixTime};

/// Why a certificate is rejected.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// A principal cannot be passed to ssh as a login name.
    #[error(
        "the certificate names the principal `{}`, which cannot be a login name",
        text
    )]
    BadPrincipal {
        /// The principal.
        text: Line,
    },
    /// The signature does not match the signed contents.
    #[error("the certificate's signature does not match its contents")]
    BadSignature,
    /// The reply holds a bearer token instead of a certificate; the metadata endpoint of managed identities sends those.
    #[error("the reply holds a bearer token where an SSH certificate should be")]
    BearerToken,
    /// It has expired.
    #[error(
        "the certificate expired at {valid_before}, {} before this machine's clock ({now})",
        Spoken(now.since(*valid_before))
    )]
    Expired {
        /// Our clock.
        now: UnixTime,
        /// The first second at which it was no longer valid.
        valid_before: UnixTime,
    },
    /// It cannot be parsed.
    #[error("this is not an OpenSSH certificate: its {field} cannot be read")]
    Malformed {
        /// The field of PROTOCOL.certkeys that could not be read; `base64` or `line` for the encoding around the blob.
        field: &'static str,
    },
    /// It has no principals, so it allows no login name.
    #[error("the certificate names no principal, so no login name is allowed with it")]
    NoPrincipals,
    /// It is a plain public key, not a certificate.
    #[error("this is a plain `{kind}` key, not a certificate")]
    NotACertificate {
        /// The key type.
        kind: Line,
    },
    /// It is not valid yet.
    #[error(
        "the certificate is valid from {valid_after}, {} after this machine's clock ({now})",
        Spoken(valid_after.since(*now))
    )]
    NotYetValid {
        /// Our clock.
        now: UnixTime,
        /// The first second at which it is valid.
        valid_after: UnixTime,
    },
    /// It is too long.
    #[error("the certificate is longer than {limit} bytes")]
    TooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// It is for another key.
    #[error("the certificate is for another key: it certifies `{certified}`, ours is `{ours}`")]
    WrongKey {
        /// The fingerprint of the key that it certifies.
        certified: String,
        /// The fingerprint of our key.
        ours: String,
    },
    /// Another tenant issued it, and the machine would refuse it.
    #[error("the certificate is from tenant `{certified}`, not `{ours}`")]
    WrongTenant {
        /// The tenant that it names.
        certified: Line,
        /// The tenant that the request went to.
        ours: String,
    },
    /// It is a host certificate.
    #[error("this is a host certificate, not a user certificate")]
    WrongType,
}

/// Why a key cannot be used.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The random numbers or the arithmetic failed.
    #[error("cannot make an {kind} key pair: {reason}")]
    Generation {
        /// Of which kind.
        kind: KeyKind,
        /// Why.
        reason: String,
    },
    /// The bytes are no key of ours.
    #[error("this is not a usable {what}: {reason}")]
    Malformed {
        /// What it should be.
        what: &'static str,
        /// Why it is not.
        reason: String,
    },
    /// The signature could not be made.
    #[error("cannot sign with this key")]
    Signature,
    /// The key is too short.
    #[error("the RSA key has {bits} bits; Entra certifies none below {minimum}")]
    TooShort {
        /// How many bits it has.
        bits: usize,
        /// How many it must have.
        minimum: usize,
    },
}
