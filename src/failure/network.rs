//! What to do about networks, proxies and server certificates.

use std::error::Error;
use std::time::Duration;

use super::Failure;
use crate::host::http::{HttpError, is_unresolved_name};
use crate::host::http_proxy::HttpProxyError;
use crate::host::tls::{ServerCertificateError, TlsError};
use crate::line::Line;
use crate::time::Spoken;

const NO_ROOTS_HINT: &str =
    "install the system's root certificates: sudo apt install ca-certificates";
const PASSWORD_HINT: &str = "check the proxy's user name and password in HTTPS_PROXY or ALL_PROXY";
const NETWORK_HINT: &str = "check the network; outgoing HTTPS must be allowed";
const CLOCK_HINT: &str = "set this machine's clock: sudo timedatectl set-ntp true";
const OTHER_NAME_HINT: &str = "check the address in the cloud file, and whether a proxy or a captive portal answers in its place";

/// Returns how long a throttling server asks to wait, with the text of its error, if that is the cause of an error.
fn throttled(error: &(dyn Error + 'static)) -> Option<(String, Duration)> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(HttpError::Throttled { wait, .. }) = error.downcast_ref() {
            return Some((error.to_string(), *wait));
        }
        cause = error.source();
    }
    None
}

/// Returns the failure of a server that asks for a longer wait than a request may take.
pub(super) fn throttled_failure(error: &(dyn Error + 'static)) -> Option<Failure> {
    throttled(error).map(|(text, wait)| {
        let hint = format!("try again in {}", Spoken(wait));
        Failure::new(text).hint(hint)
    })
}

/// Returns what to do about an error of our HTTPS client, wherever it is among the causes.
pub(super) fn hint(error: &(dyn Error + 'static)) -> Option<Line> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<HttpError>() {
            return http_hint(error);
        }
        cause = error.source();
    }
    None
}

fn http_hint(error: &HttpError) -> Option<Line> {
    match error {
        HttpError::Proxy { host, source } => Some(proxy_hint(source, host)),
        HttpError::ProxyAuthentication { .. } => Some(PASSWORD_HINT.into()),
        HttpError::ProxyRefused { host } => Some(refused_by_proxy(host)),
        HttpError::Tls { source, .. } => Some(tls_hint(source).into()),
        HttpError::TlsSettings(error) => Some(tls_settings_hint(error).into()),
        HttpError::Settings(_) | HttpError::TooLong { .. } => None,
        HttpError::Unreachable { source, .. } if is_unresolved_name(source) => {
            Some("check the network and its DNS servers".into())
        }
        HttpError::Throttled { wait, .. } => Some(format!("try again in {}", Spoken(*wait)).into()),
        HttpError::TimedOut { .. } | HttpError::Unreachable { .. } => Some(NETWORK_HINT.into()),
    }
}

/// Returns what to do about a proxy that opens no tunnel to these hosts.
pub(super) fn proxy_hint(error: &HttpProxyError, hosts: &str) -> Line {
    match error {
        HttpProxyError::OtherAuthentication { schemes, .. } => format!(
            "entra-ssh supports only a user name and password: start a local proxy that authenticates with {} (px or cntlm), and set HTTPS_PROXY=http://localhost:3128",
            schemes.join(" or ")
        )
        .into(),
        HttpProxyError::Refused {
            status: 401 | 407, ..
        } => PASSWORD_HINT.into(),
        HttpProxyError::Broken { .. }
        | HttpProxyError::OtherScheme { .. }
        | HttpProxyError::Refused { .. } => refused_by_proxy(hosts),
    }
}

fn refused_by_proxy(hosts: &str) -> Line {
    format!("allow CONNECT to {hosts} in the proxy, or bypass it with NO_PROXY").into()
}

/// Returns what to do about invalid TLS settings.
pub(super) const fn tls_settings_hint(error: &TlsError) -> &'static str {
    match error {
        TlsError::NoRoots => NO_ROOTS_HINT,
        _ => "check ca_file in the cloud file",
    }
}

/// Returns what to do about a TLS connection that could not be opened.
pub(super) fn tls_hint(error: &rustls::Error) -> &'static str {
    if let Some(TlsError::NoRoots) = TlsError::of(error) {
        return NO_ROOTS_HINT;
    }
    match ServerCertificateError::of(error) {
        Some(ServerCertificateError::Expired { .. }) => {
            "check this machine's clock (timedatectl status); if it is right, the owner of the host has to renew the certificate"
        }
        Some(ServerCertificateError::NotYetValid { .. }) => CLOCK_HINT,
        Some(ServerCertificateError::OtherName { .. }) => OTHER_NAME_HINT,
        Some(ServerCertificateError::UnknownIssuer { .. }) => {
            "a device on the network may intercept TLS: add its root certificate to the system, or as ca_file in the cloud file"
        }
        Some(ServerCertificateError::Revoked | ServerCertificateError::WrongPurpose) => {
            "ask the administrator of the network what answers there; do not sign in until that is clear"
        }
        None => {
            "the server does not open TLS as Azure does: check the network, the proxy and the address"
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rustls::OtherError;

    use super::*;
    use crate::time::UnixTime;

    fn tls(problem: ServerCertificateError) -> Failure {
        let source = rustls::Error::Other(OtherError(Arc::new(problem)));
        let host = "login.example".to_owned();
        HttpError::Tls { host, source }.into()
    }

    #[test]
    fn each_problem_of_a_server_certificate_has_a_cause_and_a_hint_of_its_own() {
        let (now, other) = (UnixTime::from_seconds(20), UnixTime::from_seconds(10));
        let issuer: Line = "CN=Inspection".into();
        let expected = "login.example".to_owned();
        for (problem, cause, hint) in [
            (
                ServerCertificateError::Expired {
                    now,
                    not_after: other,
                },
                "expired at",
                "renew the certificate",
            ),
            (
                ServerCertificateError::NotYetValid {
                    now: other,
                    not_before: now,
                },
                "is valid from",
                "set this machine's clock",
            ),
            (
                ServerCertificateError::OtherName {
                    expected,
                    names: vec!["other.example".into()],
                },
                "is for `other.example`",
                "captive portal",
            ),
            (
                ServerCertificateError::UnknownIssuer { issuer },
                "issued by `CN=Inspection`",
                "add its root certificate",
            ),
            (
                ServerCertificateError::Revoked,
                "was revoked",
                "do not sign in",
            ),
        ] {
            let failure = tls(problem);
            assert_eq!(
                failure.error,
                "cannot open a TLS connection to `login.example`"
            );
            assert!(failure.causes[0].contains(cause), "{:?}", failure.causes);
            assert!(failure.hint.as_ref().unwrap().contains(hint), "{failure:?}");
        }
    }

    #[test]
    fn a_proxy_that_wants_negotiate_is_not_told_to_check_the_password() {
        let refusal = HttpProxyError::OtherAuthentication {
            proxy: "proxy:3128".to_owned(),
            schemes: vec!["Negotiate".into(), "NTLM".into()],
        };
        let hint = proxy_hint(&refusal, "login.example");
        assert!(hint.contains("with Negotiate or NTLM"), "{hint}");
        assert!(!hint.contains("check the proxy's user name"), "{hint}");
    }
}
