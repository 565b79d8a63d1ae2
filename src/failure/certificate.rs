//! What to do about a key or a certificate.

use super::Failure;
use crate::certificate::{CertificateError, KeyError};

impl From<KeyError> for Failure {
    fn from(error: KeyError) -> Self {
        let hint = match &error {
            KeyError::TooShort { .. } => "create a longer one: ssh-keygen -t rsa -b 3072",
            KeyError::Malformed { .. } => "use an RSA key: ssh-keygen -t rsa -b 3072",
            _ => "try again",
        };
        Self::of(&error).hint(hint)
    }
}

impl From<CertificateError> for Failure {
    fn from(error: CertificateError) -> Self {
        let hint = match &error {
            CertificateError::BearerToken => {
                "Entra issues no certificates to managed identities: sign in as a user or a service principal with entra-ssh login"
            }
            CertificateError::Expired { .. } | CertificateError::NotYetValid { .. } => {
                "check this machine's clock: timedatectl status"
            }
            CertificateError::NotACertificate { .. } => "name the file that ends in -cert.pub",
            CertificateError::NoPrincipals => {
                "ask an administrator of the tenant to give the account a user principal name"
            }
            _ => "nothing was stored; try again: entra-ssh cert",
        };
        Self::of(&error).hint(hint)
    }
}
