use std::io;

use super::RefusalReason;
use crate::host::http_proxy::HttpProxyError;
use crate::line::Line;

/// Why a connection through the relay failed or broke.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RelayError {
    /// The credentials hold characters that are invalid in an HTTP request.
    #[error("the relay credentials hold an unusable {part}")]
    BadCredentials {
        /// Which part.
        part: &'static str,
    },
    /// The relay or the machine's agent closed the connection for a reason.
    #[error("the relay closed the connection: {} (close code {code})", close_text(*code, reason))]
    Closed {
        /// The close code (RFC 6455, section 7.4).
        code: u16,
        /// What it says.
        reason: Line,
    },
    /// The connection broke.
    #[error("the connection to the relay `{host}` broke")]
    Dropped {
        /// The relay.
        host: String,
        /// Why.
        source: io::Error,
    },
    /// What answered is not the relay, or does not speak its protocol.
    #[error("`{host}` does not speak the relay's protocol: {reason}")]
    NotARelay {
        /// The relay.
        host: String,
        /// What is wrong.
        reason: String,
    },
    /// The proxy refused or failed to connect to the relay.
    #[error(transparent)]
    Proxy(HttpProxyError),
    /// The relay refused the connection.
    #[error("the relay refused the connection: {status} {text}")]
    Refused {
        /// What the status and the text mean.
        reason: RefusalReason,
        /// The HTTP status.
        status: u16,
        /// What it says.
        text: Line,
    },
    /// The relay sent nothing after a ping.
    #[error("the relay `{host}` has been silent for {seconds} s")]
    Silent {
        /// The relay.
        host: String,
        /// How long.
        seconds: u64,
    },
    /// The relay did not answer in time.
    #[error("the relay `{host}` did not answer within {seconds} s")]
    TimedOut {
        /// The relay.
        host: String,
        /// The time limit.
        seconds: u64,
    },
    /// The relay's certificate is not trusted.
    #[error("cannot open a TLS connection to the relay `{host}`")]
    Tls {
        /// The relay.
        host: String,
        /// Why.
        source: io::Error,
    },
    /// The TCP connection failed.
    #[error("cannot reach the relay `{host}`")]
    Unreachable {
        /// The relay.
        host: String,
        /// Why.
        source: io::Error,
    },
}

fn close_text(code: u16, reason: &str) -> String {
    if !reason.is_empty() {
        return reason.to_owned();
    }
    match code {
        1001 => "the machine's listener has gone".to_owned(),
        1008 => "the relay token has expired".to_owned(),
        1009 => "a message was longer than the machine's listener accepts".to_owned(),
        1011 => "the relay service failed".to_owned(),
        _ => "no reason".to_owned(),
    }
}
