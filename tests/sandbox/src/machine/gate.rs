//! Who may log in: the checks of a user certificate that `PROTOCOL.certkeys` asks of a server.

use std::fmt;

use russh::keys::ssh_key::certificate::CertType;
use russh::keys::ssh_key::{Fingerprint, HashAlg};
use russh::keys::{Algorithm, Certificate, PublicKey};

/// The user CA and the principals that each login name accepts.
#[derive(Debug)]
pub(super) struct Gate {
    user_ca: Fingerprint,
    principals: Vec<(String, Vec<String>)>,
}

/// Why a certificate does not open the gate.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Refusal {
    CriticalOption(String),
    NotUserCertificate,
    Principal(Vec<String>),
    Sha1Signature,
    UnknownLogin,
    UntrustedOrExpired,
}

impl Gate {
    pub(super) fn new(user_ca: &PublicKey, principals: Vec<(String, Vec<String>)>) -> Self {
        Self {
            user_ca: user_ca.fingerprint(HashAlg::Sha256),
            principals,
        }
    }

    /// Admits a certificate to a login name at a time in seconds since the Unix epoch.
    ///
    /// Proof that the caller has the private key is not asked for here: the SSH server did that.
    /// Login names and principals compare without regard to case, as Entra's do. Returns the login
    /// name as the machine was told it.
    pub(super) fn admit(
        &self,
        login: &str,
        certificate: &Certificate,
        now: u64,
    ) -> Result<&str, Refusal> {
        let (login, accepted) = self
            .principals
            .iter()
            .find(|(name, _)| same_name(name, login))
            .ok_or(Refusal::UnknownLogin)?;
        if certificate.cert_type() != CertType::User {
            return Err(Refusal::NotUserCertificate);
        }
        if certificate.signature().algorithm() == (Algorithm::Rsa { hash: None }) {
            return Err(Refusal::Sha1Signature);
        }
        certificate
            .validate_at(now, [&self.user_ca])
            .map_err(|_| Refusal::UntrustedOrExpired)?;
        if let Some((name, _)) = certificate.critical_options().iter().next() {
            return Err(Refusal::CriticalOption(name.clone()));
        }
        let presented = certificate.valid_principals();
        let shared = |name: &String| accepted.iter().any(|other| same_name(name, other));
        if presented.iter().any(shared) {
            Ok(login)
        } else {
            Err(Refusal::Principal(presented.to_vec()))
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CriticalOption(name) => write!(f, "critical option `{name}` is not known"),
            Self::NotUserCertificate => f.write_str("certificate is not a user certificate"),
            Self::Principal(names) => write!(f, "no principal of {names:?} is accepted"),
            Self::Sha1Signature => f.write_str("certificate is signed with SHA-1"),
            Self::UnknownLogin => f.write_str("login name is not known"),
            Self::UntrustedOrExpired => {
                f.write_str("certificate is not of the user CA, or not valid now")
            }
        }
    }
}

fn same_name(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

#[cfg(test)]
mod tests {
    use russh::keys::key::safe_rng;
    use russh::keys::ssh_key::certificate::{Builder, CertType};
    use russh::keys::{Algorithm, Certificate, PrivateKey};

    use super::{Gate, Refusal};

    const NOW: u64 = 1_800_000_000;

    fn key() -> PrivateKey {
        PrivateKey::random(&mut safe_rng(), Algorithm::Ed25519).unwrap()
    }

    fn gate(ca: &PrivateKey) -> Gate {
        let principals = vec![(
            "alice@contoso.com".to_owned(),
            vec!["Alice@Contoso.com".to_owned()],
        )];
        Gate::new(ca.public_key(), principals)
    }

    fn certificate(ca: &PrivateKey, change: impl FnOnce(&mut Builder)) -> Certificate {
        let subject = key();
        let mut builder = Builder::new_with_random_nonce(
            &mut safe_rng(),
            subject.public_key(),
            NOW - 60,
            NOW + 60,
        )
        .unwrap();
        builder.valid_principal("alice@contoso.com").unwrap();
        change(&mut builder);
        builder.sign(ca).unwrap()
    }

    #[test]
    fn admit_matching_certificate_whatever_the_case() {
        let ca = key();
        let certificate = certificate(&ca, |_| ());
        let gate = gate(&ca);
        let verdict = gate.admit("ALICE@contoso.com", &certificate, NOW);
        assert_eq!(verdict, Ok("alice@contoso.com"));
    }

    #[test]
    fn refuse_certificate_of_another_authority() {
        let certificate = certificate(&key(), |_| ());
        let gate = gate(&key());
        let verdict = gate.admit("alice@contoso.com", &certificate, NOW);
        assert_eq!(verdict, Err(Refusal::UntrustedOrExpired));
    }

    #[test]
    fn refuse_certificate_outside_its_time() {
        let ca = key();
        let certificate = certificate(&ca, |_| ());
        let gate = gate(&ca);
        for now in [NOW - 61, NOW + 60] {
            let verdict = gate.admit("alice@contoso.com", &certificate, now);
            assert_eq!(verdict, Err(Refusal::UntrustedOrExpired), "{now}");
        }
    }

    #[test]
    fn refuse_unknown_login_name() {
        let ca = key();
        let certificate = certificate(&ca, |_| ());
        let gate = gate(&ca);
        let verdict = gate.admit("bob@contoso.com", &certificate, NOW);
        assert_eq!(verdict, Err(Refusal::UnknownLogin));
    }

    #[test]
    fn refuse_principal_of_somebody_else() {
        let ca = key();
        let subject = key();
        let mut builder = Builder::new_with_random_nonce(
            &mut safe_rng(),
            subject.public_key(),
            NOW - 60,
            NOW + 60,
        )
        .unwrap();
        builder.valid_principal("bob@contoso.com").unwrap();
        let certificate = builder.sign(&ca).unwrap();
        let gate = gate(&ca);
        let verdict = gate.admit("alice@contoso.com", &certificate, NOW);
        assert_eq!(
            verdict,
            Err(Refusal::Principal(vec!["bob@contoso.com".to_owned()]))
        );
    }

    #[test]
    fn refuse_certificate_without_principals() {
        let ca = key();
        let subject = key();
        let mut builder = Builder::new_with_random_nonce(
            &mut safe_rng(),
            subject.public_key(),
            NOW - 60,
            NOW + 60,
        )
        .unwrap();
        builder.all_principals_valid().unwrap();
        let certificate = builder.sign(&ca).unwrap();
        let gate = gate(&ca);
        let verdict = gate.admit("alice@contoso.com", &certificate, NOW);
        assert_eq!(verdict, Err(Refusal::Principal(Vec::new())));
    }

    #[test]
    fn refuse_host_certificate() {
        let ca = key();
        let certificate = certificate(&ca, |builder| {
            builder.cert_type(CertType::Host).unwrap();
        });
        let gate = gate(&ca);
        let verdict = gate.admit("alice@contoso.com", &certificate, NOW);
        assert_eq!(verdict, Err(Refusal::NotUserCertificate));
    }

    #[test]
    fn refuse_critical_option() {
        let ca = key();
        let certificate = certificate(&ca, |builder| {
            builder.critical_option("force-command", "true").unwrap();
        });
        let gate = gate(&ca);
        let verdict = gate.admit("alice@contoso.com", &certificate, NOW);
        assert_eq!(
            verdict,
            Err(Refusal::CriticalOption("force-command".to_owned()))
        );
    }
}
