//! Why a server's certificate is rejected, with the facts.

use std::sync::Arc;

use rustls::pki_types::{CertificateDer, UnixTime as TlsTime};
use rustls::{CertificateError, Error, OtherError};
use x509_cert::Certificate;
use x509_cert::der::Decode as _;

use crate::line::Line;
use crate::time::{Spoken, UnixTime};

/// How many names of a certificate are shown at most.
const MAX_NAMES: usize = 4;

/// Why a server's certificate is rejected.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum ServerCertificateError {
    #[error(
        "its certificate expired at {not_after}, {} before this machine's clock ({now})",
        Spoken(now.since(*not_after))
    )]
    Expired {
        now: UnixTime,
        /// The last second at which it was valid.
        not_after: UnixTime,
    },
    #[error(
        "its certificate is valid from {not_before}, {} after this machine's clock ({now})",
        Spoken(not_before.since(*now))
    )]
    NotYetValid {
        now: UnixTime,
        /// The first second at which it is valid.
        not_before: UnixTime,
    },
    /// It is for other hosts.
    #[error("its certificate is for {}, and not for `{expected}`", listed(names))]
    OtherName {
        /// The host that we connected to.
        expected: String,
        /// The hosts that it is for.
        names: Vec<Line>,
    },
    #[error("its certificate was revoked by its issuer")]
    Revoked,
    #[error("its certificate is issued by `{issuer}`, which is not trusted here")]
    UnknownIssuer {
        /// The authority's distinguished name (RFC 4514).
        issuer: Line,
    },
    /// It is not for servers.
    #[error("its certificate is not one for servers")]
    WrongPurpose,
}

impl ServerCertificateError {
    /// Returns why the server's certificate was rejected, if that is why a TLS connection failed.
    #[must_use]
    pub(crate) fn of(error: &Error) -> Option<&Self> {
        match error {
            Error::Other(OtherError(inner)) => inner.downcast_ref(),
            _ => None,
        }
    }
}

/// Replaces the TLS library's error by ours, which carries the facts; an error without any stays.
pub(super) fn explain(
    error: Error,
    end_entity: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
) -> Error {
    let Error::InvalidCertificate(problem) = &error else {
        return error;
    };
    let explained = match problem {
        CertificateError::ExpiredContext { time, not_after } => ServerCertificateError::Expired {
            now: to_time(*time),
            not_after: to_time(*not_after),
        },
        CertificateError::NotValidYetContext { time, not_before } => {
            ServerCertificateError::NotYetValid {
                now: to_time(*time),
                not_before: to_time(*not_before),
            }
        }
        CertificateError::NotValidForNameContext {
            expected,
            presented,
        } => ServerCertificateError::OtherName {
            expected: expected.to_str().into_owned(),
            names: presented.iter().map(|name| host_name(name)).collect(),
        },
        CertificateError::Revoked => ServerCertificateError::Revoked,
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            ServerCertificateError::WrongPurpose
        }
        // The topmost certificate that was sent names who is behind it: who reads TLS on the way, most likely.
        // A signature that does not fit is that of another authority under the name of a trusted one.
        CertificateError::BadSignature | CertificateError::UnknownIssuer => {
            match issuer_of(intermediates.last().unwrap_or(end_entity)) {
                Some(issuer) => ServerCertificateError::UnknownIssuer { issuer },
                None => return error,
            }
        }
        _ => return error,
    };
    Error::Other(OtherError(Arc::new(explained)))
}

fn to_time(time: TlsTime) -> UnixTime {
    UnixTime::from_seconds(time.as_secs())
}

/// Strips the library's type of a name: `DnsName("login.example")`, `IpAddress(10.0.0.4)`.
fn host_name(presented: &str) -> Line {
    let inner = presented
        .split_once('(')
        .and_then(|(_, rest)| rest.strip_suffix(')'));
    inner.unwrap_or(presented).trim_matches('"').into()
}

fn listed(names: &[Line]) -> String {
    let mut listed: Vec<String> = names
        .iter()
        .take(MAX_NAMES)
        .map(|name| format!("`{name}`"))
        .collect();
    match names.len().checked_sub(MAX_NAMES) {
        Some(more) if more > 0 => listed.push(format!("{more} other hosts")),
        _ => {}
    }
    if listed.is_empty() {
        return "no host".to_owned();
    }
    listed.join(", ")
}

/// Returns the issuer's distinguished name (RFC 4514).
fn issuer_of(certificate: &CertificateDer<'_>) -> Option<Line> {
    let certificate = Certificate::from_der(certificate).ok()?;
    Some(certificate.tbs_certificate.issuer.to_string().into())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rustls::client::danger::ServerCertVerifier as _;
    use rustls::pki_types::ServerName;
    use rustls::pki_types::pem::PemObject as _;

    use super::super::{own_roots, provider};
    use super::*;

    /// Of `localhost` and `127.0.0.1`, made by `generate.sh` for a century, and its own authority.
    fn client_pem() -> CertificateDer<'static> {
        let pem = include_bytes!("../../entra/testdata/client.pem");
        CertificateDer::from_pem_slice(pem).unwrap()
    }

    #[test]
    fn the_issuer_is_read_from_the_certificate() {
        assert_eq!(issuer_of(&client_pem()).unwrap(), "CN=client.example");
        assert_eq!(issuer_of(&CertificateDer::from(vec![1, 2, 3])), None);
    }

    /// The roots to trust when a certificate is verified.
    #[derive(Clone, Copy)]
    enum Trusted {
        ItsAuthority,
        AnotherAuthority,
        AnotherOfTheSameName,
    }

    /// Verifies a certificate for `localhost`, and returns the error.
    fn told(
        change: impl FnOnce(&mut rcgen::CertificateParams),
        host: &str,
        trusted: Trusted,
    ) -> String {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2030, 1, 1);
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, "Contoso\u{202e} Inspection");
        change(&mut params);
        let authority_key = rcgen::KeyPair::generate().unwrap();
        let mut authority = rcgen::CertificateParams::new([]).unwrap();
        authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        authority.distinguished_name = params.distinguished_name.clone();
        let root = authority.self_signed(&authority_key).unwrap();
        let namesake = rcgen::KeyPair::generate().unwrap();
        let namesake = authority.self_signed(&namesake).unwrap();
        let issuer = rcgen::Issuer::new(authority, authority_key);
        let certificate = params.signed_by(&key, &issuer).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        let other = rcgen::generate_simple_self_signed(["other".to_owned()]).unwrap();
        let trusted = match trusted {
            Trusted::ItsAuthority => root.pem(),
            Trusted::AnotherAuthority => other.cert.pem(),
            Trusted::AnotherOfTheSameName => namesake.pem(),
        };
        crate::host::files::write(
            &file,
            trusted.as_bytes(),
            crate::host::files::Access::Private,
        )
        .unwrap();
        let verifier = own_roots(&file, &provider()).unwrap();
        let name = ServerName::try_from(host.to_owned()).unwrap();
        // 2026-01-01
        let now = TlsTime::since_unix_epoch(Duration::from_secs(1_767_225_600));
        let error = verifier
            .verify_server_cert(certificate.der(), &[], &name, &[], now)
            .unwrap_err();
        let error = explain(error, certificate.der(), &[]);
        ServerCertificateError::of(&error).unwrap().to_string()
    }

    #[test]
    fn each_problem_has_its_own_words() {
        assert_eq!(
            told(
                |params| params.not_after = rcgen::date_time_ymd(2025, 12, 30),
                "localhost",
                Trusted::ItsAuthority
            ),
            "its certificate expired at 2025-12-30T00:00:00Z, 2 d before this machine's clock \
             (2026-01-01T00:00:00Z)"
        );
        assert_eq!(
            told(
                |params| params.not_before = rcgen::date_time_ymd(2026, 1, 3),
                "localhost",
                Trusted::ItsAuthority
            ),
            "its certificate is valid from 2026-01-03T00:00:00Z, 2 d after this machine's clock \
             (2026-01-01T00:00:00Z)"
        );
        assert_eq!(
            told(|_| {}, "login.example", Trusted::ItsAuthority),
            "its certificate is for `localhost`, and not for `login.example`"
        );
        for trusted in [Trusted::AnotherAuthority, Trusted::AnotherOfTheSameName] {
            assert_eq!(
                told(|_| {}, "localhost", trusted),
                "its certificate is issued by `CN=Contoso\u{fffd} Inspection`, which is not trusted here"
            );
        }
        let for_clients = |params: &mut rcgen::CertificateParams| {
            params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
        };
        assert_eq!(
            told(for_clients, "localhost", Trusted::ItsAuthority),
            "its certificate is not one for servers"
        );
    }

    #[test]
    fn no_more_than_a_few_names_are_listed() {
        let names: Vec<Line> = (0..6).map(|index| format!("h{index}").into()).collect();
        assert_eq!(listed(&names), "`h0`, `h1`, `h2`, `h3`, 2 other hosts");
        assert_eq!(listed(&[]), "no host");
        assert_eq!(host_name("DnsName(\"a.example\")"), "a.example");
        assert_eq!(host_name("IpAddress(10.0.0.4)"), "10.0.0.4");
    }
}
