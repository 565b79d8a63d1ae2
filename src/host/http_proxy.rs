//! The HTTP proxy of a network, for connections that are not HTTP requests: those to the relay.

mod authentication;
mod no_proxy;

use std::fmt;
use std::io;

use hyper_util::client::proxy::matcher::Matcher;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::env::Env;
use crate::line::Line;
use crate::secret::Secret;

/// The longest reply to `CONNECT` to read, in bytes.
const MAX_HEAD_BYTES: usize = 16 * 1024;
/// The port of a proxy without one in its address.
const DEFAULT_PORT: u16 = 80;

/// A proxy that opens tunnels (`CONNECT`, RFC 9110, section 9.3.6).
#[derive(Clone)]
pub struct HttpProxy {
    host: String,
    port: u16,
    scheme: String,
    /// The value of `Proxy-Authorization` (RFC 7617).
    authorization: Option<Secret>,
}

impl HttpProxy {
    /// Returns the proxy that `HTTPS_PROXY` or `ALL_PROXY` names, unless `NO_PROXY` lists the host.
    #[must_use]
    pub fn for_host(env: &Env, host: &str, port: u16) -> Option<Self> {
        let value = |names| Self::value(env, names).unwrap_or_default().to_owned();
        if no_proxy::lists(&value(["NO_PROXY", "no_proxy"]), host, port) {
            return None;
        }
        let matcher = Matcher::builder()
            .all(value(["ALL_PROXY", "all_proxy"]))
            .https(value(["HTTPS_PROXY", "https_proxy"]))
            .build();
        let destination = format!("https://{host}:{port}").parse().ok()?;
        let found = matcher.intercept(&destination)?;
        let uri = found.uri();
        let authorization = found
            .basic_auth()
            .and_then(|value| value.to_str().ok())
            .map(|value| Secret::new(value.to_owned()));
        Some(Self {
            host: uri.host()?.trim_matches(['[', ']']).to_owned(),
            port: uri.port_u16().unwrap_or(DEFAULT_PORT),
            scheme: uri.scheme_str().unwrap_or("http").to_owned(),
            authorization,
        })
    }

    /// Returns the address of the proxy for a host as the variable has it, for our HTTP client, so that both use the same one.
    pub(super) fn address_for(env: &Env, host: &str, port: u16) -> Option<String> {
        Self::for_host(env, host, port)?;
        Self::value(env, ["HTTPS_PROXY", "https_proxy"])
            .or_else(|| Self::value(env, ["ALL_PROXY", "all_proxy"]))
            .map(str::to_owned)
    }

    fn value<'a>(env: &'a Env, names: [&str; 2]) -> Option<&'a str> {
        names.iter().find_map(|name| env.var(name))
    }

    /// Returns the proxy's host.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns the proxy's port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Asks the proxy at the other end of `stream` for a tunnel to a host.
    ///
    /// # Errors
    /// [`HttpProxyError`].
    pub async fn open_tunnel(
        &self,
        stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
        host: &str,
        port: u16,
    ) -> Result<(), HttpProxyError> {
        let broken = |source| HttpProxyError::Broken {
            proxy: self.to_string(),
            source,
        };
        if self.scheme != "http" {
            return Err(HttpProxyError::OtherScheme {
                proxy: self.to_string(),
                scheme: self.scheme.clone(),
            });
        }
        let request = Secret::new(self.request(host, port));
        stream
            .write_all(request.expose().as_bytes())
            .await
            .map_err(broken)?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            if head.len() >= MAX_HEAD_BYTES {
                return Err(broken(io::ErrorKind::InvalidData.into()));
            }
            // Byte by byte: what follows the head is the other end's.
            head.push(stream.read_u8().await.map_err(broken)?);
        }
        let head = String::from_utf8_lossy(&head);
        match status_of(&head) {
            Some((200..=299, _)) => Ok(()),
            Some((401 | 407, _)) if !is_basic_offered(&head) => {
                Err(HttpProxyError::OtherAuthentication {
                    proxy: self.to_string(),
                    schemes: authentication::schemes(&head),
                })
            }
            Some((status, text)) => Err(HttpProxyError::Refused {
                proxy: self.to_string(),
                status,
                text,
            }),
            None => Err(broken(io::ErrorKind::InvalidData.into())),
        }
    }

    fn request(&self, host: &str, port: u16) -> String {
        let authority = if host.contains(':') {
            format!("[{host}]:{port}")
        } else {
            format!("{host}:{port}")
        };
        let authorization = match &self.authorization {
            Some(value) => format!("Proxy-Authorization: {}\r\n", value.expose()),
            None => String::new(),
        };
        format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n{authorization}\r\n")
    }
}

/// Returns whether a user name and password may do; a proxy that names no scheme leaves that open.
fn is_basic_offered(head: &str) -> bool {
    let schemes = authentication::schemes(head);
    let is_basic = |scheme: &Line| scheme.eq_ignore_ascii_case("Basic");
    schemes.is_empty() || schemes.iter().any(is_basic)
}

/// Returns the status and the reason of an answer's first line: `HTTP/1.1 407 Proxy Authentication Required`.
fn status_of(head: &str) -> Option<(u16, Line)> {
    let line = head.lines().next()?;
    let (_, rest) = line
        .strip_prefix("HTTP/1.")
        .and_then(|rest| rest.split_once(' '))?;
    let (status, text) = rest.split_once(' ').unwrap_or((rest, ""));
    Some((status.parse().ok()?, text.into()))
}

impl fmt::Display for HttpProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl fmt::Debug for HttpProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HttpProxy({self})")
    }
}

/// Why a proxy opened no tunnel.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpProxyError {
    /// The connection to the proxy broke, or its reply is not HTTP.
    #[error("the proxy `{proxy}` did not answer like an HTTP proxy")]
    Broken { proxy: String, source: io::Error },
    /// It requires an authentication scheme that entra-ssh does not support.
    #[error("the proxy `{proxy}` only accepts {} authentication", schemes.join(" or "))]
    OtherAuthentication {
        proxy: String,
        /// The schemes that it offers: `Negotiate`, `NTLM`, …
        schemes: Vec<Line>,
    },
    /// It is reached by a scheme that the relay connection does not support.
    #[error("the proxy `{proxy}` uses `{scheme}`, and the relay supports only `http` proxies")]
    OtherScheme { proxy: String, scheme: String },
    /// It refused.
    #[error("the proxy `{proxy}` refused: {status} {text}")]
    Refused {
        proxy: String,
        status: u16,
        text: Line,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxy(pairs: [(&str, &str); 2], host: &str) -> Option<HttpProxy> {
        HttpProxy::for_host(&Env::from(pairs), host, 443)
    }

    #[test]
    fn the_variables_of_other_programs_are_followed() {
        let https = proxy(
            [("HTTPS_PROXY", "http://proxy:3128"), ("ALL_PROXY", "x:1")],
            "a.example",
        );
        assert_eq!(https.unwrap().to_string(), "proxy:3128");
        let all = proxy([("all_proxy", "proxy:8080"), ("NO_PROXY", "")], "a.example");
        assert_eq!(all.unwrap().to_string(), "proxy:8080");
        let http_alone = proxy([("HTTP_PROXY", "http://proxy:1"), ("X", "y")], "a.example");
        assert!(http_alone.is_none(), "the relay is never plain HTTP");
    }

    #[test]
    fn hosts_and_their_subdomains_and_networks_can_be_left_out() {
        let set = |no| [("HTTPS_PROXY", "http://proxy:3128"), ("NO_PROXY", no)];
        for (no, host) in [
            ("a.example", "a.example"),
            (".example", "b.a.example"),
            ("x, example", "a.example"),
            ("127.0.0.0/8", "127.0.0.1"),
            ("*", "a.example"),
            ("x, *", "127.0.0.1"),
            ("*.example:443", "a.example"),
        ] {
            assert!(proxy(set(no), host).is_none(), "{no} {host}");
        }
        assert!(proxy(set("ample"), "a.example").is_some());
    }

    #[test]
    fn user_name_and_password_are_decoded_and_not_printed() {
        let with_password = proxy(
            [("HTTPS_PROXY", "http://ada:p%40ss@proxy:3128"), ("X", "y")],
            "a.example",
        );
        let with_password = with_password.unwrap();
        // RFC 7617: base64 of `ada:p@ss`.
        assert!(
            with_password
                .request("a.example", 443)
                .contains("\r\nProxy-Authorization: Basic YWRhOnBAc3M=\r\n")
        );
        assert_eq!(format!("{with_password:?}"), "HttpProxy(proxy:3128)");
    }

    #[tokio::test]
    async fn a_tunnel_is_open_after_2xx_alone() {
        let plain = proxy([("HTTPS_PROXY", "http://proxy:3128"), ("X", "y")], "a").unwrap();
        for (answer, expected) in [
            ("HTTP/1.1 200 Connection established\r\n\r\n", Ok(())),
            ("HTTP/1.0 200\r\nVia: x\r\n\r\n", Ok(())),
            (
                "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
                Err("the proxy `proxy:3128` refused: 407 Proxy Authentication Required"),
            ),
            (
                "HTTP/1.1 407 x\r\nProxy-Authenticate: Negotiate\r\nProxy-Authenticate: NTLM\r\n\r\n",
                Err("the proxy `proxy:3128` only accepts Negotiate or NTLM authentication"),
            ),
            (
                "HTTP/1.1 407 x\r\nProxy-Authenticate: Negotiate, Basic realm=\"x\"\r\n\r\n",
                Err("the proxy `proxy:3128` refused: 407 x"),
            ),
            (
                "SSH-2.0-x\r\n\r\n",
                Err("the proxy `proxy:3128` did not answer like an HTTP proxy"),
            ),
            (
                "HTTP/1.1 200",
                Err("the proxy `proxy:3128` did not answer like an HTTP proxy"),
            ),
        ] {
            let (mut ours, mut theirs) = tokio::io::duplex(1024);
            theirs.write_all(answer.as_bytes()).await.unwrap();
            theirs.shutdown().await.unwrap();
            let opened = plain.open_tunnel(&mut ours, "a.example", 443).await;
            let told = opened.map_err(|error| error.to_string());
            assert_eq!(told, expected.map_err(str::to_owned), "{answer:?}");
        }
    }

    #[tokio::test]
    async fn an_endless_answer_is_cut_off() {
        let plain = proxy([("HTTPS_PROXY", "http://proxy:3128"), ("X", "y")], "a").unwrap();
        let (mut ours, mut theirs) = tokio::io::duplex(64);
        let flood = tokio::spawn(async move {
            let mut sent = 0;
            while theirs.write_all(&[b'a'; 64]).await.is_ok() {
                sent += 64;
            }
            sent
        });
        assert!(plain.open_tunnel(&mut ours, "a", 443).await.is_err());
        drop(ours);
        assert!(flood.await.unwrap() <= MAX_HEAD_BYTES + 128);
    }
}
