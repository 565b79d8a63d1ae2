//! HTTPS: one client for Entra and Azure Resource Manager.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use azure_core::http::Transport;
use rustls::ClientConfig;
use url::Url;
use zeroize::Zeroizing;

/// The longest reply of a token endpoint that is read, in bytes.
pub const MAX_REPLY_BYTES: usize = 1024 * 1024;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// An HTTPS client.
#[derive(Clone, Debug)]
pub struct Http {
    client: reqwest::Client,
}

/// A reply, whatever its status. Its body may hold tokens; it is zeroed when dropped and not printed.
pub struct Reply {
    /// The HTTP status code.
    pub status: u16,
    /// What a `Retry-After` header in seconds asks for.
    pub retry_after: Option<Duration>,
    /// The body.
    pub body: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reply({}, {} bytes)", self.status, self.body.len())
    }
}

impl Http {
    /// Makes a client with these TLS settings.
    ///
    /// # Errors
    /// [`HttpError::Settings`] if the HTTP library refuses them.
    pub fn new(tls: &Arc<ClientConfig>) -> Result<Self, HttpError> {
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(ClientConfig::clone(tls))
            .https_only(true)
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(REQUEST_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("entra-ssh/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(HttpError::Settings)?;
        Ok(Self { client })
    }

    /// Posts a form (`application/x-www-form-urlencoded`).
    ///
    /// # Errors
    /// [`HttpError::Unreachable`] if there is no reply; [`HttpError::TooLong`] if it is longer than [`MAX_REPLY_BYTES`].
    pub async fn post_form(&self, url: &Url, form: &[(&str, &str)]) -> Result<Reply, HttpError> {
        let unreachable = |source: reqwest::Error| HttpError::Unreachable {
            host: url.authority().to_owned(),
            source: source.without_url(),
        };
        let mut response = self
            .client
            .post(url.clone())
            .form(form)
            .send()
            .await
            .map_err(unreachable)?;
        let retry_after = response
            .headers()
            .get("retry-after")
            .and_then(|value| value.to_str().ok()?.trim().parse().ok())
            .map(Duration::from_secs);
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
        Ok(Reply {
            status: response.status().as_u16(),
            retry_after,
            body,
        })
    }

    /// Returns this client as the transport of an Azure SDK pipeline.
    #[must_use]
    pub fn to_transport(&self) -> Transport {
        Transport::new(Arc::new(self.client.clone()))
    }
}

/// Why there is no reply.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    /// The HTTP library refused its settings.
    #[error("cannot set up HTTPS")]
    Settings(#[source] reqwest::Error),
    /// The reply is too long.
    #[error("the reply of `{host}` is longer than {limit} bytes")]
    TooLong {
        /// The host, with the port if it is not 443.
        host: String,
        /// The limit in bytes.
        limit: usize,
    },
    /// There is no connection, or it broke.
    #[error("cannot reach `{host}`")]
    Unreachable {
        /// The host, with the port if it is not 443.
        host: String,
        /// Why; never with the address, which could hold a secret.
        source: reqwest::Error,
    },
}
