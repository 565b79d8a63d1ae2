//! What cannot be used of this machine, and what stands between it and the network.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::OtherError;

use super::{Failure, check, host, path, reset};
use crate::entra::EntraError;
use crate::host::http::HttpError;
use crate::host::http_proxy::HttpProxyError;
#[cfg(unix)]
use crate::host::own_socket::SocketError;
use crate::host::tls::{ServerCertificateError, TlsError};
use crate::hosts::HostsError;
use crate::identity::IdentityError;
use crate::issue::{IssueError, KeyOwner};
use crate::keyring::{Backend, KeyringError};
use crate::session::{LockError, ProfileError, SessionError};
use crate::time::UnixTime;

#[test]
fn hosts() {
    let failures = [
        HostsError::Check {
            ssh: "/usr/bin/ssh".into(),
            source: ErrorKind::PermissionDenied.into(),
        },
        HostsError::Executable(ErrorKind::NotFound.into()),
        HostsError::ForeignFolder { folder: path() },
        HostsError::Lock(ErrorKind::PermissionDenied.into()),
        HostsError::Rejected {
            path: path(),
            lines: vec!["What ssh says.".into()],
        },
        HostsError::TooLong {
            path: path(),
            bytes: 5_000_000,
            limit: 4_194_304,
        },
        HostsError::UserConfig {
            path: path(),
            source: ErrorKind::IsADirectory.into(),
        },
    ];
    check("hosts", failures.map(Failure::from));
}

#[test]
fn identity() {
    let socket = || PathBuf::from("/run/user/1000/agent");
    let failures = [
        IdentityError::AgentForeign {
            socket: socket(),
            owner: 1001,
        },
        IdentityError::AgentRefused { socket: socket() },
        IdentityError::AgentUnavailable {
            socket: socket(),
            source: ErrorKind::ConnectionRefused.into(),
        },
        IdentityError::NoAgent,
        IdentityError::NoCertificate,
        IdentityError::PrivateKey { path: path() },
    ];
    check("identity", failures.map(Failure::from));
}

#[test]
fn keyring() {
    let unavailable = |backend| KeyringError::Unavailable {
        backend,
        reason: "what the system says".to_owned(),
    };
    let full = |backend| KeyringError::Full {
        backend,
        source: keyring_core::Error::NoEntry,
    };
    let failures = [
        KeyringError::BadEntry {
            name: "sign-in".to_owned(),
            reason: "it is cut or damaged",
        },
        KeyringError::File {
            path: path(),
            source: ErrorKind::StorageFull.into(),
        },
        full(Backend::Keyutils),
        full(Backend::SecretService),
        KeyringError::Locked {
            backend: Backend::SecretService,
            source: keyring_core::Error::NoEntry,
        },
        KeyringError::Memory(reset()),
        KeyringError::TimedOut { seconds: 30 },
        unavailable(Backend::Keyutils),
        unavailable(Backend::SecretService),
    ];
    check("keyring", failures.map(Failure::from));
}

#[test]
fn tls() {
    let (now, other) = (
        UnixTime::from_seconds(20_000),
        UnixTime::from_seconds(10_000),
    );
    let certificates = [
        ServerCertificateError::Expired {
            now,
            not_after: other,
        },
        ServerCertificateError::NotYetValid {
            now: other,
            not_before: now,
        },
        ServerCertificateError::OtherName {
            expected: host(),
            names: vec!["other.example".into()],
        },
        ServerCertificateError::Revoked,
        ServerCertificateError::UnknownIssuer {
            issuer: "CN=Inspection".into(),
        },
        ServerCertificateError::WrongPurpose,
    ];
    let tls = certificates.map(|problem| HttpError::Tls {
        host: host(),
        source: rustls::Error::Other(OtherError(Arc::new(problem))),
    });
    check("tls", tls.map(Failure::from));
}

#[test]
fn http_proxy() {
    let proxy = || "proxy.example:3128".to_owned();
    let proxies = [
        HttpProxyError::Broken {
            proxy: proxy(),
            source: reset(),
        },
        HttpProxyError::OtherAuthentication {
            proxy: proxy(),
            schemes: vec!["Negotiate".into(), "NTLM".into()],
        },
        HttpProxyError::OtherScheme {
            proxy: proxy(),
            scheme: "socks5".to_owned(),
        },
        HttpProxyError::Refused {
            proxy: proxy(),
            status: 407,
            text: "Proxy Authentication Required".into(),
        },
        HttpProxyError::Refused {
            proxy: proxy(),
            status: 403,
            text: "Forbidden".into(),
        },
    ];
    let proxies = proxies.map(|source| HttpError::Proxy {
        host: host(),
        source,
    });
    check("http-proxy", proxies.map(Failure::from));
}

#[test]
fn network() {
    let failures = [
        HttpError::ProxyAuthentication { host: host() },
        HttpError::ProxyRefused { host: host() },
        HttpError::Throttled {
            host: host(),
            status: 429,
            wait: Duration::from_secs(3_600),
        },
        HttpError::TimedOut {
            host: host(),
            seconds: 30,
        },
        HttpError::TlsSettings(TlsError::NoRoots),
        HttpError::TooLong {
            host: host(),
            limit: 1_048_576,
        },
    ];
    check("network", failures.map(Failure::from));
}

#[test]
fn session() {
    let name = || "work".parse().unwrap();
    let locks = [
        LockError::Profile {
            owner: Some(4_711),
            source: ErrorKind::TimedOut.into(),
        },
        LockError::Profile {
            owner: None,
            source: ErrorKind::TimedOut.into(),
        },
        LockError::SharedEntries {
            source: ErrorKind::PermissionDenied.into(),
        },
    ];
    let profiles = [
        ProfileError::NotFound { name: name() },
        ProfileError::Write {
            path: path(),
            source: ErrorKind::ReadOnlyFilesystem.into(),
        },
        ProfileError::Read {
            path: path(),
            source: ErrorKind::PermissionDenied.into(),
        },
    ];
    let signed_out = [Backend::File, Backend::Keyutils, Backend::Memory].map(|backend| {
        SessionError::SignedOut {
            account: "ada@contoso.example".parse().unwrap(),
            backend,
            profile: name(),
        }
    });
    let kinds = [KeyOwner::Profile, KeyOwner::User].map(|owner| IssueError::KeyKind {
        algorithm: "ssh-ed25519".to_owned(),
        owner,
        source: SessionError::Entra {
            source: EntraError::Unintelligible {
                host: host(),
                status: 400,
            },
            action: None,
            clock: None,
        },
    });
    let all = locks.map(Failure::from).into_iter();
    let all = all.chain(profiles.map(Failure::from));
    let all = all.chain(signed_out.map(Failure::from));
    check("session", all.chain(kinds.map(Failure::from)));
}

#[test]
#[cfg(unix)]
fn socket() {
    let folder = || PathBuf::from("/tmp/shared");
    let failures = [
        SocketError::ForeignFolder {
            folder: folder(),
            owner: 1001,
            user: 0,
        },
        SocketError::ForeignFolder {
            folder: folder(),
            owner: 1001,
            user: 1000,
        },
        SocketError::SharedFolder { folder: folder() },
    ];
    check("socket", failures.map(Failure::from));
}
