//! What Entra, Azure, the relay and machines refuse, and what cannot be used of what they send.

use std::io::ErrorKind;

use super::{Failure, check, host, machine, path, reset};
use crate::azure::{Action, AzureError, RefusalReason as AzureRefusal};
use crate::certificate::{CertificateError, KeyError, KeyKind};
use crate::direct::{Addresses, DirectError, Place};
use crate::entra::{AssertionError, EntraError};
use crate::host::http::HttpError;
use crate::relay::{RefusalReason, RelayError};
use crate::time::UnixTime;

#[test]
fn azure() {
    let actions = [
        Action::CreateEndpoint,
        Action::CreateServiceConfiguration,
        Action::ListMachines,
        Action::ListRelayCredentials,
        Action::LookUpAddress,
    ];
    let forbidden = actions.map(|action| AzureError::Forbidden {
        action,
        about: machine(),
        code: "AuthorizationFailed".into(),
        message: "What Azure says.".into(),
    });
    let reasons = [
        (AzureRefusal::Locked, "ScopeLocked"),
        (
            AzureRefusal::ProviderNotRegistered,
            "MissingSubscriptionRegistration",
        ),
        (AzureRefusal::Other, "BadRequest"),
    ];
    let refused = reasons.map(|(reason, code)| AzureError::Refused {
        action: Action::ListRelayCredentials,
        about: machine(),
        status: 409,
        reason,
        code: code.into(),
        message: "What Azure says.".into(),
    });
    let others = [
        AzureError::NotFound {
            about: machine(),
            code: "ResourceNotFound".into(),
            message: "What Azure says.".into(),
        },
        AzureError::Unauthorized {
            claims: None,
            code: "ExpiredAuthenticationToken".into(),
            message: "What Azure says.".into(),
        },
        AzureError::WrongTenant {
            about: machine(),
            tenant: None,
        },
        AzureError::WrongTenant {
            about: machine(),
            tenant: Some("fab21ca0-0000-4000-8000-000000000002".into()),
        },
    ];
    let all = forbidden.into_iter().chain(refused).chain(others);
    check("azure", all.map(Failure::from));
}

#[test]
fn certificate() {
    let (now, other) = (
        UnixTime::from_seconds(20_000),
        UnixTime::from_seconds(10_000),
    );
    let certificates = [
        CertificateError::BadPrincipal { text: "a b".into() },
        CertificateError::BadSignature,
        CertificateError::BearerToken,
        CertificateError::Expired {
            now,
            valid_before: other,
        },
        CertificateError::Malformed { field: "key ID" },
        CertificateError::NoPrincipals,
        CertificateError::NotACertificate {
            kind: "ssh-rsa".into(),
        },
        CertificateError::NotYetValid {
            now: other,
            valid_after: now,
        },
        CertificateError::TooLong { limit: 65_536 },
        CertificateError::WrongKey {
            certified: "SHA256:a".to_owned(),
            ours: "SHA256:b".to_owned(),
        },
        CertificateError::WrongTenant {
            certified: "a".into(),
            ours: "b".to_owned(),
        },
        CertificateError::WrongType,
    ];
    let keys = [
        KeyError::Generation {
            kind: KeyKind::Ed25519,
            reason: "no entropy".to_owned(),
        },
        KeyError::Malformed {
            what: "public key",
            reason: "its end is missing".to_owned(),
        },
        KeyError::Signature,
        KeyError::TooShort {
            bits: 1024,
            minimum: 2048,
        },
    ];
    let keys = keys.map(Failure::from);
    check(
        "certificate",
        certificates.map(Failure::from).into_iter().chain(keys),
    );
}

#[test]
fn direct() {
    let place = |addresses| Place {
        machine: "vm01".to_owned(),
        addresses,
        port: 22,
    };
    let address = || "203.0.113.4".parse().unwrap();
    let failures = [
        DirectError::Dropped {
            machine: machine(),
            source: reset(),
        },
        DirectError::NotTaken {
            machine: machine(),
            source: reset(),
        },
        DirectError::Refused {
            place: place(Addresses::Public(vec![address()])),
        },
        DirectError::TimedOut {
            place: place(Addresses::Public(vec![address()])),
            seconds: 10,
        },
        DirectError::TimedOut {
            place: place(Addresses::Private(vec!["10.0.0.4".parse().unwrap()])),
            seconds: 10,
        },
        DirectError::Unreachable {
            place: place(Addresses::Named("10.0.0.4".parse().unwrap())),
            source: ErrorKind::NetworkUnreachable.into(),
        },
    ];
    check("direct", failures.map(Failure::from));
}

#[test]
fn entra() {
    let proxied = HttpError::ProxyAuthentication { host: host() };
    let failures = [
        EntraError::DeviceCodeExpired { minutes: 15 },
        EntraError::Unintelligible {
            host: host(),
            status: 503,
        },
        EntraError::Unreachable(proxied),
        EntraError::UnsafePage {
            address: "http://host.example/".into(),
        },
        EntraError::WrongTokenType {
            expected: "an SSH certificate (`ssh-cert`)",
            given: "Bearer".into(),
        },
        EntraError::Assertion(AssertionError::Empty { path: path() }),
        EntraError::Assertion(AssertionError::File {
            path: path(),
            source: ErrorKind::PermissionDenied.into(),
        }),
        EntraError::Assertion(AssertionError::Refused {
            issuer: "GitHub",
            status: 401,
        }),
        EntraError::Assertion(AssertionError::Unreachable {
            issuer: "GitHub",
            source: HttpError::TimedOut {
                host: host(),
                seconds: 30,
            },
        }),
    ];
    check("entra", failures.map(Failure::from));
}

#[test]
fn relay() {
    let reasons = [
        (RefusalReason::Busy, 503, "Service Unavailable"),
        (RefusalReason::Denied, 403, "Forbidden"),
        (RefusalReason::NoEndpoint, 404, "Endpoint does not exist"),
        (
            RefusalReason::NoListener,
            404,
            "There are no listeners connected for the endpoint",
        ),
        (
            RefusalReason::PortNotEnabled { port: 3389 },
            400,
            "Port is not enabled",
        ),
        (RefusalReason::SshServerDown, 502, "Bad Gateway"),
        (RefusalReason::Other, 500, "Internal Server Error"),
    ];
    let refused = reasons.map(|(reason, status, text)| RelayError::Refused {
        reason,
        status,
        text: text.into(),
    });
    let closed = [1000, 1001, 1008, 1009, 1011].map(|code| RelayError::Closed {
        code,
        reason: "".into(),
    });
    let others = [
        RelayError::BadCredentials { part: "host" },
        RelayError::Dropped {
            host: host(),
            source: reset(),
        },
        RelayError::NotARelay {
            host: host(),
            reason: "its answer is not HTTP".to_owned(),
        },
        RelayError::Silent {
            host: host(),
            seconds: 90,
        },
        RelayError::TimedOut {
            host: host(),
            seconds: 30,
        },
        RelayError::Tls {
            host: host(),
            source: reset(),
        },
        RelayError::Unreachable {
            host: host(),
            source: ErrorKind::ConnectionRefused.into(),
        },
    ];
    let all = refused.into_iter().chain(closed).chain(others);
    check("relay", all.map(Failure::from));
}
