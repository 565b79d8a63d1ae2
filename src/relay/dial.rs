use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use super::buffer::{Buffer, Capacity};
use super::handshake::{Handshake, MAX_HEAD_BYTES};
use super::records::Records;
use super::{Endpoint, RelayError};
use crate::host::http_proxy::HttpProxy;
use crate::host::{random, tcp};

/// How long one attempt may take.
const TRY_LIMIT: Duration = Duration::from_secs(10);
/// How long an attempt usually takes at most; after that, a second one starts in parallel. One connect in ten to forty takes
/// three to seven seconds, and a second one started then usually does not.
const USUAL_TIME: Duration = Duration::from_secs(2);
/// How long to wait between two attempts.
const RETRY_PAUSE: Duration = Duration::from_millis(500);
/// How long all attempts together may take.
const DIAL_LIMIT: Duration = Duration::from_secs(30);

/// An open connection.
#[derive(Debug)]
pub struct Connection<S = TcpStream> {
    pub(super) tcp: S,
    pub(super) records: Records,
    /// Received and decrypted bytes; the first frames may have come with the reply to the handshake.
    pub(super) plain: Buffer,
    pub(super) capacity: Capacity,
    pub(super) host: String,
}

/// Opens a connection through the relay, by way of a proxy if there is one: TCP, TLS, and the handshake of RFC 6455. If an
/// attempt is slow, a second one starts in parallel; attempts that time out are retried while there is time.
///
/// # Errors
/// [`RelayError`].
pub async fn dial(
    endpoint: &Endpoint,
    tls: &Arc<ClientConfig>,
    proxy: Option<&HttpProxy>,
    capacity: Capacity,
) -> Result<Connection, RelayError> {
    let deadline = Instant::now() + DIAL_LIMIT;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let tried = match timeout(left, try_hedged(endpoint, tls, proxy, capacity)).await {
            Ok(tried) => tried,
            Err(_) => Err(timed_out(endpoint)),
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

/// Makes an attempt, and a second one in parallel once the first has taken longer than usual. The first one to connect or
/// to be refused decides.
async fn try_hedged(
    endpoint: &Endpoint,
    tls: &Arc<ClientConfig>,
    proxy: Option<&HttpProxy>,
    capacity: Capacity,
) -> Result<Connection, RelayError> {
    let mut first = Box::pin(try_within_limit(endpoint, tls, proxy, capacity));
    tokio::select! {
        tried = &mut first => return tried,
        () = sleep(USUAL_TIME) => {}
    }
    let mut second = Box::pin(try_within_limit(endpoint, tls, proxy, capacity));
    tokio::select! {
        tried = &mut first => if decides(&tried) { tried } else { second.await },
        tried = &mut second => if decides(&tried) { tried } else { first.await },
    }
}

const fn decides(tried: &Result<Connection, RelayError>) -> bool {
    matches!(tried, Ok(_) | Err(RelayError::Refused { .. }))
}

async fn try_within_limit(
    endpoint: &Endpoint,
    tls: &Arc<ClientConfig>,
    proxy: Option<&HttpProxy>,
    capacity: Capacity,
) -> Result<Connection, RelayError> {
    timeout(TRY_LIMIT, try_once(endpoint, tls, proxy, capacity))
        .await
        .unwrap_or_else(|_| Err(timed_out(endpoint)))
}

fn timed_out(endpoint: &Endpoint) -> RelayError {
    RelayError::TimedOut {
        host: endpoint.to_string(),
        seconds: DIAL_LIMIT.as_secs(),
    }
}

async fn try_once(
    endpoint: &Endpoint,
    tls: &Arc<ClientConfig>,
    proxy: Option<&HttpProxy>,
    capacity: Capacity,
) -> Result<Connection, RelayError> {
    let host = endpoint.to_string();
    tracing::info!(relay = host, ?proxy, "connects to the relay");
    let name = ServerName::try_from(endpoint.host().to_owned())
        .map_err(|_| RelayError::BadCredentials { part: "host" })?;
    let bad_tls = |source| RelayError::Tls {
        host: host.clone(),
        source,
    };
    let tcp = open_tcp(endpoint, proxy).await?;
    let mut connection = Connection {
        records: Records::begin(tls, name, capacity).map_err(|error| bad_tls(invalid(error)))?,
        tcp,
        plain: Buffer::new(capacity.decrypted_bytes()),
        capacity,
        host: host.clone(),
    };
    connection.open_tls().await.map_err(bad_tls)?;
    connection.open_web_socket(endpoint).await?;
    Ok(connection)
}

impl Connection {
    async fn open_tls(&mut self) -> io::Result<()> {
        loop {
            let received = self.records.receive(&mut self.plain);
            // This may send an alert that says why the handshake failed.
            let flushed = self.flush().await;
            received.map_err(invalid)?;
            flushed?;
            if !self.records.is_handshaking() {
                return Ok(());
            }
            self.read().await?;
        }
    }

    async fn open_web_socket(&mut self, endpoint: &Endpoint) -> Result<(), RelayError> {
        let host = self.host.clone();
        let dropped = |source| RelayError::Dropped {
            host: host.clone(),
            source,
        };
        let (handshake, request) = Handshake::begin(endpoint, random()?, random()?);
        self.records
            .send(request.expose().as_bytes())
            .map_err(|error| dropped(invalid(error)))?;
        self.flush().await.map_err(dropped)?;
        loop {
            self.records
                .receive(&mut self.plain)
                .map_err(|error| dropped(invalid(error)))?;
            let seen = self.plain.filled();
            let head = seen.get(..MAX_HEAD_BYTES).unwrap_or(seen);
            if let Some(length) = handshake.on_bytes(&host, head)? {
                self.plain.remove(length);
                return Ok(());
            }
            if self.records.is_closed() {
                return Err(dropped(io::ErrorKind::UnexpectedEof.into()));
            }
            self.flush().await.map_err(dropped)?;
            self.read().await.map_err(dropped)?;
        }
    }

    async fn flush(&mut self) -> io::Result<()> {
        while !self.records.outgoing.is_empty() {
            let written = self.tcp.write(self.records.outgoing.filled()).await?;
            self.records.outgoing.remove(written);
        }
        Ok(())
    }

    async fn read(&mut self) -> io::Result<()> {
        let length = self.tcp.read(self.records.incoming.room()).await?;
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.records.incoming.add(length);
        Ok(())
    }
}

/// Opens a TCP connection to the relay, or to the proxy and through it.
async fn open_tcp(endpoint: &Endpoint, proxy: Option<&HttpProxy>) -> Result<TcpStream, RelayError> {
    let (host, port) = match proxy {
        Some(proxy) => (proxy.host(), proxy.port()),
        None => (endpoint.host(), endpoint.port()),
    };
    let mut stream = tcp::connect(host, port, DIAL_LIMIT)
        .await
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

pub(super) fn invalid(error: rustls::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

fn random() -> Result<[u8; 16], RelayError> {
    let mut bytes = [0; 16];
    random::fill(&mut bytes).map_err(|_| RelayError::Dropped {
        host: "random numbers".to_owned(),
        source: io::Error::other("the system gives none"),
    })?;
    Ok(bytes)
}
