//! Keys and OpenSSH certificates (PROTOCOL.certkeys).
//!
//! What comes from Entra is [`Unverified`] until [`Unverified::verify`] has held it against our key and our clock; only
//! then is it a [`Certificate`], and only a `Certificate` can be stored, served or written. Explaining a certificate
//! ([`Explanation`]) asks for no trust and works on any file.

mod error;
mod explanation;
mod key_pair;
mod lifetime;
mod parsed;
mod private_key_file;
mod private_numbers;
mod public_key;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

pub use self::error::{CertificateError, KeyError};
pub use self::explanation::{CertificateSummary, Explanation};
pub use self::key_pair::{KeyPair, MIN_RSA_BITS, SignatureAlgorithm};
pub(crate) use self::lifetime::Lifetime;
pub use self::lifetime::RenewWhen;
pub use self::private_numbers::{PrivateNumbers, RsaNumbers};
pub use self::public_key::PublicKey;
pub use crate::ids::{KeyKind, RSA_BITS};

use self::parsed::{Kind, Parsed};
use crate::ids::{Principal, TenantId};
use crate::time::UnixTime;

/// The longest certificate that is looked at, in bytes. OpenSSH itself takes no key blob above 256 KiB.
pub const MAX_CERTIFICATE_BYTES: usize = 64 * 1024;

/// How far a certificate's first second may lie ahead of our clock, in seconds. Entra backdates certificates by as much, so
/// that a clock may be ten minutes behind Entra's: the machine checks the validity with its own.
pub const CLOCK_SKEW_SECONDS: u64 = 300;

/// A certificate that has been parsed and nothing more: it may be for another key, over, or of no use.
#[derive(Clone, Debug)]
pub struct Unverified {
    parsed: Parsed,
    blob: Vec<u8>,
}

impl Unverified {
    /// Parses the base64 that Entra returns as `access_token`: a certificate blob without type prefix.
    ///
    /// # Errors
    /// [`CertificateError::BearerToken`] if it is a JSON Web Token; [`CertificateError::TooLong`] above
    /// [`MAX_CERTIFICATE_BYTES`]; [`CertificateError::Malformed`] if it is neither.
    pub fn from_base64(text: &str) -> Result<Self, CertificateError> {
        if text.starts_with("eyJ") && text.split('.').count() == 3 {
            return Err(CertificateError::BearerToken);
        }
        if text.len() / 4 * 3 > MAX_CERTIFICATE_BYTES {
            return Err(CertificateError::TooLong {
                limit: MAX_CERTIFICATE_BYTES,
            });
        }
        let unpadded = text.trim().trim_end_matches('=');
        let blob = STANDARD_NO_PAD
            .decode(unpadded)
            .map_err(|_| CertificateError::Malformed { field: "base64" })?;
        Self::from_blob(&blob)
    }

    /// Parses a certificate file: `{type} {base64} [comment]`.
    ///
    /// # Errors
    /// [`CertificateError::NotACertificate`] if the line holds a plain key; else as [`Unverified::from_base64`].
    pub fn from_openssh(text: &str) -> Result<Self, CertificateError> {
        let mut words = text.split_ascii_whitespace();
        match (words.next(), words.next()) {
            (Some(kind), Some(base64)) if kind.contains("-cert-v01@openssh.com") => {
                Self::from_base64(base64)
            }
            (Some(kind), Some(_)) if kind.starts_with("ssh-") || kind.starts_with("ecdsa-") => {
                Err(CertificateError::NotACertificate { kind: kind.into() })
            }
            _ => Err(CertificateError::Malformed { field: "line" }),
        }
    }

    /// Parses a certificate blob.
    ///
    /// # Errors
    /// As [`Unverified::from_base64`].
    pub fn from_blob(blob: &[u8]) -> Result<Self, CertificateError> {
        if blob.len() > MAX_CERTIFICATE_BYTES {
            return Err(CertificateError::TooLong {
                limit: MAX_CERTIFICATE_BYTES,
            });
        }
        Ok(Self {
            parsed: Parsed::from_blob(blob)?,
            blob: blob.to_vec(),
        })
    }

    /// Verifies that this is a user certificate for `key`, signed as it says, in date at `now`, with principals.
    ///
    /// The signature is checked against the key that the certificate names. TLS to the authority vouches for that key: it is
    /// the authority's token-signing key (`{authority}/common/discovery/v2.0/keys`), and is not fetched here.
    ///
    /// # Errors
    /// [`CertificateError`] by the first thing that does not hold: `WrongType`, `WrongKey`, `BadSignature`,
    /// `NoPrincipals`, `BadPrincipal`, `NotYetValid`, `Expired`.
    pub fn verify(&self, now: UnixTime, key: &PublicKey) -> Result<Certificate, CertificateError> {
        if self.parsed.kind != Kind::User {
            return Err(CertificateError::WrongType);
        }
        if self.parsed.public_key != *key {
            return Err(CertificateError::WrongKey {
                certified: self.parsed.public_key.fingerprint(),
                ours: key.fingerprint(),
            });
        }
        if !self.parsed.signature_holds(&self.blob) {
            return Err(CertificateError::BadSignature);
        }
        let login_name = self.first_principal()?.to_login_name();
        let (valid_after, valid_before) = self.validity();
        if valid_after.as_seconds() > now.as_seconds().saturating_add(CLOCK_SKEW_SECONDS) {
            return Err(CertificateError::NotYetValid { now, valid_after });
        }
        if valid_before <= now {
            return Err(CertificateError::Expired { now, valid_before });
        }
        Ok(Certificate {
            unverified: self.clone(),
            login_name,
        })
    }

    /// Returns the key that this certificate says it is for.
    #[must_use]
    pub const fn public_key(&self) -> &PublicKey {
        &self.parsed.public_key
    }

    /// Returns the first second at which it is valid, and the first at which it no longer is.
    #[must_use]
    pub const fn validity(&self) -> (UnixTime, UnixTime) {
        (self.parsed.valid_after, self.parsed.valid_before)
    }

    /// Returns the first of the principals that it says it is for if none of them is this login name, in whatever case.
    #[must_use]
    pub fn principal_other_than(&self, login_name: &str) -> Option<&str> {
        let principals = &self.parsed.principals;
        let is_same = |principal: &String| principal.to_lowercase() == login_name.to_lowercase();
        if principals.iter().any(is_same) {
            return None;
        }
        principals.first().map(String::as_str)
    }

    fn first_principal(&self) -> Result<Principal, CertificateError> {
        let first = self
            .parsed
            .principals
            .first()
            .ok_or(CertificateError::NoPrincipals)?;
        first
            .parse()
            .map_err(|_| CertificateError::BadPrincipal { text: first.into() })
    }
}

/// The extension by which Entra's certificates name their tenant.
const TENANT_EXTENSION: &str = "tid@sshservice.azure.net";

/// A certificate that was verified against our key and our clock.
#[derive(Clone, Debug)]
pub struct Certificate {
    unverified: Unverified,
    login_name: Principal,
}

impl Certificate {
    /// Returns the certificate blob of PROTOCOL.certkeys.
    #[must_use]
    pub fn blob(&self) -> &[u8] {
        &self.unverified.blob
    }

    /// Returns the login name that goes with it: the first principal in lower case.
    #[must_use]
    pub const fn login_name(&self) -> &Principal {
        &self.login_name
    }

    /// Returns the key that it is for.
    #[must_use]
    pub const fn public_key(&self) -> &PublicKey {
        self.unverified.public_key()
    }

    /// Returns the first second at which it is valid, and the first at which it no longer is.
    #[must_use]
    pub const fn validity(&self) -> (UnixTime, UnixTime) {
        self.unverified.validity()
    }

    /// Checks that it is of a tenant that is named by its ID. A certificate that names no tenant is not of Entra's usual form,
    /// and the machine decides about it.
    ///
    /// # Errors
    /// [`CertificateError::WrongTenant`] if it names another one.
    pub fn check_tenant(&self, tenant: &TenantId) -> Result<(), CertificateError> {
        let extensions = &self.unverified.parsed.extensions;
        let certified = extensions
            .iter()
            .find(|(name, _)| name == TENANT_EXTENSION)
            .map(|(_, tenant)| tenant);
        match certified {
            Some(certified)
                if tenant.is_id() && !certified.eq_ignore_ascii_case(tenant.as_str()) =>
            {
                Err(CertificateError::WrongTenant {
                    certified: certified.into(),
                    ours: tenant.to_string(),
                })
            }
            _ => Ok(()),
        }
    }

    /// Returns the line of a certificate file: `{type} {base64} {comment}` and a line end.
    #[must_use]
    pub fn to_openssh(&self) -> String {
        format!(
            "{} {} {}\n",
            self.unverified.parsed.key_type,
            STANDARD.encode(self.blob()),
            self.unverified.parsed.key_id
        )
    }
}

#[cfg(test)]
pub(crate) mod tests;
