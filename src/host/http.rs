//! HTTPS: one client for Entra and Azure Resource Manager.
//!
//! It uses the proxy that `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` name in the caller's environment, limits the length of
//! replies, and keeps track of the servers' clock.

mod azure_transport;
mod error;
mod proxy_refusal;
mod resolver;
mod retry;
mod server_clock;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::header::{AUTHORIZATION, DATE, HeaderMap, WWW_AUTHENTICATE};
use reqwest::{Proxy, RequestBuilder};
use rustls::ClientConfig;
use tokio::time::timeout;
use url::Url;
use zeroize::Zeroizing;

pub(crate) use self::error::HttpError;
pub(crate) use self::resolver::is_unresolved_name;
pub(crate) use self::retry::current_wait;

use self::resolver::SystemResolver;
use self::retry::{BUDGET, Next, Wait};
use self::server_clock::ServerClock;
use super::env::Env;
use super::http_proxy::{HttpProxy, HttpProxyError};
use super::{tcp, tls};
use crate::cloud::Cloud;
use crate::secret::Secret;
use crate::time::UnixTime;

/// The longest reply to read, in bytes. A thousand machines with their tags take about half of it.
pub(crate) const MAX_REPLY_BYTES: usize = 4 * 1024 * 1024;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// The metadata endpoint of a machine in Azure is one hop away, or does not exist.
const METADATA_CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// An HTTPS client.
#[derive(Clone, Debug)]
pub struct Http {
    client: reqwest::Client,
    /// Whether this client retries. The Azure SDK knows best how to retry a metadata endpoint.
    retries: bool,
    server_clock: Arc<ServerClock>,
    /// The environment that names the proxy; metadata never goes through one.
    env: Option<Arc<Env>>,
}

/// A reply, whatever its status. The body may hold tokens: it is zeroed when dropped, and never printed.
#[derive(Default)]
pub struct Reply {
    /// The HTTP status code.
    pub status: u16,
    /// The `WWW-Authenticate` header.
    pub challenge: Option<String>,
    /// The body.
    pub body: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reply({}, {} bytes)", self.status, self.body.len())
    }
}

impl Http {
    /// Creates a client with these TLS settings and the proxy that this environment names.
    ///
    /// # Errors
    /// [`HttpError::Settings`] if the HTTP library refuses them.
    fn new(tls: &Arc<ClientConfig>, env: &Env) -> Result<Self, HttpError> {
        let env = Arc::new(env.clone());
        let named = Arc::clone(&env);
        let proxy = Proxy::custom(move |url| {
            let port = url.port_or_known_default()?;
            HttpProxy::address_for(&named, url.host_str()?, port)
        });
        let builder = reqwest::Client::builder()
            .tls_backend_preconfigured(ClientConfig::clone(tls))
            .https_only(true)
            .proxy(proxy)
            .connect_timeout(CONNECT_TIMEOUT);
        Ok(Self {
            env: Some(env),
            ..Self::build(builder, true)?
        })
    }

    /// Creates a client for a cloud, with the roots that its file names and the proxy that this environment names.
    ///
    /// # Errors
    /// [`HttpError::TlsSettings`] if TLS cannot be set up; [`HttpError::Settings`] if the HTTP library refuses them.
    pub(crate) fn for_cloud(cloud: &Cloud, env: &Env) -> Result<Self, HttpError> {
        let tls = tls::for_cloud(cloud, env).map_err(HttpError::TlsSettings)?;
        Self::new(&tls, env)
    }

    /// Creates a client for the metadata endpoint of this machine, which speaks plain HTTP and is never reached through a
    /// proxy: `http://169.254.169.254`, or what `IDENTITY_ENDPOINT` names.
    ///
    /// # Errors
    /// [`HttpError::Settings`] if the HTTP library refuses its settings.
    pub fn for_metadata() -> Result<Self, HttpError> {
        let builder = reqwest::Client::builder()
            // No request goes over TLS; the HTTP library requires settings all the same.
            .tls_backend_preconfigured(tls::trusting_nobody().map_err(HttpError::TlsSettings)?)
            .no_proxy()
            .connect_timeout(METADATA_CONNECT_TIMEOUT);
        Self::build(builder, false)
    }

    fn build(builder: reqwest::ClientBuilder, retries: bool) -> Result<Self, HttpError> {
        let client = builder
            .timeout(REQUEST_TIMEOUT)
            .dns_resolver(SystemResolver::shared())
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("entra-ssh/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(HttpError::Settings)?;
        Ok(Self {
            client,
            retries,
            server_clock: Arc::default(),
            env: None,
        })
    }

    /// Gets an address, with a bearer token (RFC 6750) if there is one.
    ///
    /// # Errors
    /// As [`Http::post_form`].
    pub async fn get(&self, url: &Url, bearer: Option<&Secret>) -> Result<Reply, HttpError> {
        self.send(|| with_bearer(self.client.get(url.clone()), bearer), url)
            .await
    }

    /// Posts nothing to an address, with a bearer token (RFC 6750).
    ///
    /// # Errors
    /// As [`Http::post_form`].
    pub async fn post_empty(&self, url: &Url, bearer: &Secret) -> Result<Reply, HttpError> {
        let request = || self.client.post(url.clone()).header("content-length", "0");
        self.send(|| with_bearer(request(), Some(bearer)), url)
            .await
    }

    /// Posts a form (`application/x-www-form-urlencoded`).
    ///
    /// # Errors
    /// [`HttpError::Unreachable`] if there is no reply; [`HttpError::TooLong`] if it is longer than [`MAX_REPLY_BYTES`].
    pub async fn post_form(&self, url: &Url, form: &[(&str, &str)]) -> Result<Reply, HttpError> {
        self.send(|| self.client.post(url.clone()).form(form), url)
            .await
    }

    /// Returns the current time by the clock of the last server, if its reply had a date.
    #[must_use]
    pub fn server_time(&self) -> Option<UnixTime> {
        self.server_clock.now()
    }

    async fn send(
        &self,
        request: impl Fn() -> RequestBuilder,
        url: &Url,
    ) -> Result<Reply, HttpError> {
        let (status, headers, body) = self.exchange(request, url).await?;
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        Ok(Reply {
            status,
            challenge: text(WWW_AUTHENTICATE).map(str::to_owned),
            body,
        })
    }

    /// Connects to a proxy again to learn why it refused, since the HTTP library does not pass that on.
    async fn ask_proxy(&self, url: &Url, error: HttpError) -> HttpError {
        let (HttpError::ProxyAuthentication { host } | HttpError::ProxyRefused { host }) = &error
        else {
            return error;
        };
        let ask = async {
            let (name, port) = (url.host_str()?, url.port_or_known_default()?);
            let proxy = HttpProxy::for_host(self.env.as_deref()?, name, port)?;
            let connected = tcp::connect(proxy.host(), proxy.port(), CONNECT_TIMEOUT).await;
            let tunnel = proxy.open_tunnel(&mut connected.ok()?, name, port).await;
            tunnel.err()
        };
        match timeout(CONNECT_TIMEOUT, ask).await {
            Ok(Some(
                source @ (HttpProxyError::OtherAuthentication { .. }
                | HttpProxyError::Refused { .. }),
            )) => HttpError::Proxy {
                host: host.clone(),
                source,
            },
            _ => error,
        }
    }

    /// Sends a request, and retries while the server throttles or fails, within [`BUDGET`] in all.
    async fn exchange(
        &self,
        request: impl Fn() -> RequestBuilder,
        url: &Url,
    ) -> Result<Exchanged, HttpError> {
        let host = || url.authority().to_owned();
        let (deadline, mut tries) = (tokio::time::Instant::now() + BUDGET, 0);
        loop {
            tries += 1;
            let once = tokio::time::timeout_at(deadline, self.exchange_once(request(), url));
            let outcome = once.await.unwrap_or_else(|_| {
                let (host, seconds) = (host(), BUDGET.as_secs());
                Err(HttpError::TimedOut { host, seconds })
            });
            let left = deadline.saturating_duration_since(tokio::time::Instant::now());
            let pause = match &outcome {
                _ if !self.retries => return outcome,
                Ok((status, headers, _)) => match retry::after_reply(*status, headers, tries, left)
                {
                    Next::Again(pause) => pause,
                    Next::Take => return outcome,
                    Next::TooLong(wait) => {
                        let (host, status) = (host(), *status);
                        return Err(HttpError::Throttled { host, status, wait });
                    }
                },
                Err(error) => match retry::after_failure(error, tries, left) {
                    Some(pause) => pause,
                    None => return outcome,
                },
            };
            let _wait = Wait::begin(url.authority(), pause);
            tokio::time::sleep(pause).await;
        }
    }

    async fn exchange_once(
        &self,
        request: RequestBuilder,
        url: &Url,
    ) -> Result<Exchanged, HttpError> {
        let unreachable = |source| HttpError::unreachable(url, source);
        let begun = Instant::now();
        let mut response = match request.send().await {
            Ok(response) => response,
            Err(source) => return Err(self.ask_proxy(url, unreachable(source)).await),
        };
        if let Some(date) = response.headers().get(DATE) {
            self.server_clock.note(date.to_str().unwrap_or_default());
        }
        let mut body = Zeroizing::new(Vec::new());
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if body.len() + chunk.len() > MAX_REPLY_BYTES {
                return Err(HttpError::TooLong {
                    host: url.authority().to_owned(),
                    limit: MAX_REPLY_BYTES,
                });
            }
            body.extend_from_slice(&chunk);
        }
        tracing::debug!(
            host = url.authority(),
            path = url.path(),
            status = response.status().as_u16(),
            milliseconds = begun.elapsed().as_millis(),
            "a reply came"
        );
        let headers = std::mem::take(response.headers_mut());
        Ok((response.status().as_u16(), headers, body))
    }
}

/// The status, the headers and the body of a reply.
type Exchanged = (u16, HeaderMap, Zeroizing<Vec<u8>>);

fn with_bearer(request: RequestBuilder, bearer: Option<&Secret>) -> RequestBuilder {
    match bearer {
        Some(token) => request.header(AUTHORIZATION, format!("Bearer {}", token.expose())),
        None => request,
    }
}
