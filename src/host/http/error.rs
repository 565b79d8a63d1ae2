use std::error::Error;
use std::time::Duration;

use url::Url;

use super::proxy_refusal::{self, ProxyRefusal};
use crate::host::http_proxy::HttpProxyError;
use crate::host::tls::{self, TlsError};
use crate::time::Spoken;

/// Why a request got no reply.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    /// The proxy refused, and said why.
    #[error("the proxy refused a connection to `{host}`")]
    Proxy {
        host: String,
        source: HttpProxyError,
    },
    /// The proxy rejected our credentials, or requires some.
    #[error("the proxy rejected the user name and password on the way to `{host}`")]
    ProxyAuthentication { host: String },
    /// The proxy opened no tunnel.
    #[error("the proxy refused a connection to `{host}`")]
    ProxyRefused { host: String },
    /// The HTTP library refused its settings.
    #[error("cannot set up HTTPS")]
    Settings(#[source] reqwest::Error),
    /// The server asks for a longer wait than a request may take.
    #[error("`{host}` is busy (HTTP status {status}) and asks to wait {}", Spoken(*wait))]
    Throttled {
        host: String,
        status: u16,
        wait: Duration,
    },
    /// The reply did not come, or did not end, in time.
    #[error("`{host}` did not answer within {seconds} s")]
    TimedOut {
        host: String,
        /// The limit in seconds.
        seconds: u64,
    },
    /// The TLS handshake failed.
    #[error("cannot open a TLS connection to `{host}`")]
    Tls { host: String, source: rustls::Error },
    /// TLS cannot be set up.
    #[error(transparent)]
    TlsSettings(TlsError),
    /// The reply is too long.
    #[error("the reply of `{host}` is longer than {limit} bytes")]
    TooLong { host: String, limit: usize },
    /// The connection could not be opened, or broke.
    #[error("cannot reach `{host}`")]
    Unreachable {
        host: String,
        /// Never with the address, which could hold a secret.
        source: reqwest::Error,
    },
}

impl HttpError {
    pub(super) fn unreachable(url: &Url, source: reqwest::Error) -> Self {
        let host = url.authority().to_owned();
        let mut cause: Option<&(dyn Error + 'static)> = Some(&source);
        while let Some(error) = cause {
            match proxy_refusal::parse(&error.to_string()) {
                Some(ProxyRefusal::AuthenticationRequired) => {
                    return Self::ProxyAuthentication { host };
                }
                Some(ProxyRefusal::NoTunnel) => return Self::ProxyRefused { host },
                None => {}
            }
            if let Some(error) = tls_error(error) {
                let source = error.clone();
                return Self::Tls { host, source };
            }
            cause = error.source();
        }
        Self::Unreachable {
            host,
            source: source.without_url(),
        }
    }
}

/// Returns what the TLS library says.
fn tls_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    tls::handshake_error(error.downcast_ref()?)
}
