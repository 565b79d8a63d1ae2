use std::io;
use std::sync::Arc;
use std::time::Duration;

use ring::rand::{SecureRandom as _, SystemRandom};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::handshake::{Handshake, MAX_HEAD_BYTES};
use super::{Endpoint, RelayError};
use crate::host::http_proxy::HttpProxy;
use crate::host::liveness;

/// How long one try may take.
const TRY_LIMIT: Duration = Duration::from_secs(10);
/// How long it is waited between two tries.
const RETRY_PAUSE: Duration = Duration::from_millis(500);
/// How long all tries together may take.
const DIAL_LIMIT: Duration = Duration::from_secs(30);

/// An open connection.
#[derive(Debug)]
pub struct Connection {
    pub(super) stream: TlsStream<TcpStream>,
    /// What came after the head of the handshake: the first frames.
    pub(super) early: Vec<u8>,
    pub(super) host: String,
}

/// Opens a connection through the relay, by way of a proxy if there is one: TCP, TLS, and the handshake of RFC 6455. A try that stalls is given up and made
/// again while there is time.
///
/// # Errors
/// [`RelayError`].
pub async fn dial(
    endpoint: &Endpoint,
    tls: &Arc<ClientConfig>,
    proxy: Option<&HttpProxy>,
) -> Result<Connection, RelayError> {
    let deadline = Instant::now() + DIAL_LIMIT;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let tried = match timeout(TRY_LIMIT.min(left), try_once(endpoint, tls, proxy)).await {
            Ok(tried) => tried,
            Err(_) => Err(RelayError::TimedOut {
                host: endpoint.to_string(),
                seconds: DIAL_LIMIT.as_secs(),
            }),
        };
        match tried {
            Err(RelayError::TimedOut { .. } | RelayError::Refused { status: 504, .. })
                if Instant::now() + RETRY_PAUSE < deadline =>
            {
                sleep(RETRY_PAUSE).await;
            }
            outcome => return outcome,
        }
    }
}

async fn try_once(
    endpoint: &Endpoint,
    tls: &Arc<ClientConfig>,
    proxy: Option<&HttpProxy>,
) -> Result<Connection, RelayError> {
    let host = endpoint.to_string();
    tracing::info!(relay = host, ?proxy, "connects to the relay");
    let tcp = open_tcp(endpoint, proxy).await?;
    let name = ServerName::try_from(endpoint.host().to_owned())
        .map_err(|_| RelayError::BadCredentials { part: "host" })?;
    let mut stream = TlsConnector::from(Arc::clone(tls))
        .connect(name, tcp)
        .await
        .map_err(|source| RelayError::Tls {
            host: host.clone(),
            source,
        })?;
    let (handshake, request) = Handshake::begin(endpoint, random()?, random()?);
    let dropped = |source| RelayError::Dropped {
        host: host.clone(),
        source,
    };
    stream
        .write_all(request.expose().as_bytes())
        .await
        .map_err(dropped)?;
    stream.flush().await.map_err(dropped)?;
    let mut bytes = Vec::with_capacity(MAX_HEAD_BYTES);
    loop {
        if stream.read_buf(&mut bytes).await.map_err(dropped)? == 0 {
            return Err(dropped(io::ErrorKind::UnexpectedEof.into()));
        }
        if let Some(length) = handshake.on_bytes(&host, &bytes)? {
            let early = bytes.split_off(length);
            return Ok(Connection {
                stream,
                early,
                host,
            });
        }
    }
}

/// Opens a TCP connection to the relay, or to the proxy and through it.
async fn open_tcp(endpoint: &Endpoint, proxy: Option<&HttpProxy>) -> Result<TcpStream, RelayError> {
    let (host, port) = match proxy {
        Some(proxy) => (proxy.host(), proxy.port()),
        None => (endpoint.host(), endpoint.port()),
    };
    let mut stream = TcpStream::connect((host, port))
        .await
        .and_then(|stream| liveness::set(&stream).map(|()| stream))
        .map_err(|source| RelayError::Unreachable {
            host: proxy.map_or_else(|| endpoint.to_string(), HttpProxy::to_string),
            source,
        })?;
    if let Some(proxy) = proxy {
        proxy
            .open_tunnel(&mut stream, endpoint.host(), endpoint.port())
            .await
            .map_err(RelayError::Proxy)?;
    }
    Ok(stream)
}

fn random() -> Result<[u8; 16], RelayError> {
    let mut bytes = [0; 16];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| RelayError::Dropped {
            host: "random numbers".to_owned(),
            source: io::Error::other("the system gives none"),
        })?;
    Ok(bytes)
}
