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

/// Opens a connection through the relay: TCP, TLS, and the handshake of RFC 6455. A try that stalls is given up and made
/// again while there is time.
///
/// # Errors
/// [`RelayError`].
pub async fn dial(endpoint: &Endpoint, tls: &Arc<ClientConfig>) -> Result<Connection, RelayError> {
    let deadline = Instant::now() + DIAL_LIMIT;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let tried = match timeout(TRY_LIMIT.min(left), try_once(endpoint, tls)).await {
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

async fn try_once(endpoint: &Endpoint, tls: &Arc<ClientConfig>) -> Result<Connection, RelayError> {
    let host = endpoint.to_string();
    let tcp = TcpStream::connect((endpoint.host(), endpoint.port()))
        .await
        .and_then(|stream| liveness::set(&stream).map(|()| stream))
        .map_err(|source| RelayError::Unreachable {
            host: host.clone(),
            source,
        })?;
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
