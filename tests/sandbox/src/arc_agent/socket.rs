//! `WebSocket` connections over TLS to a Relay whose certificate authority is given.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

/// A WebSocket to the Relay.
pub(super) type Socket = WebSocketStream<TlsStream<TcpStream>>;

/// How long a WebSocket may take to open: TCP, TLS and upgrade together.
const OPEN_TIME: Duration = Duration::from_secs(10);

/// Opens connections, and trusts the certificate authorities it was made with alone.
pub(super) struct Dialer {
    tls: TlsConnector,
    /// The longest message read, in bytes; the Relay passes on whatever size the sender chose.
    read_limit: usize,
}

impl Dialer {
    pub(super) fn new(ca_pem: &str, read_limit: usize) -> io::Result<Self> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(ca_pem.as_bytes()) {
            roots.add(certificate.map_err(invalid)?).map_err(invalid)?;
        }
        if roots.is_empty() {
            return Err(invalid("there is no certificate in `ca_pem`"));
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(invalid)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self {
            tls: TlsConnector::from(Arc::new(config)),
            read_limit,
        })
    }

    /// Opens a `wss` address, with a `ServiceBusAuthorization` header if there is one to send.
    pub(super) async fn open(
        &self,
        address: &str,
        authorization: Option<&str>,
    ) -> io::Result<Socket> {
        let mut request = address.into_client_request().map_err(invalid)?;
        if let Some(token) = authorization {
            let token = HeaderValue::from_str(token).map_err(invalid)?;
            request
                .headers_mut()
                .insert("ServiceBusAuthorization", token);
        }
        timeout(OPEN_TIME, self.upgrade(request)).await?
    }

    async fn upgrade(&self, request: Request) -> io::Result<Socket> {
        let uri = request.uri();
        let host = uri
            .host()
            .filter(|_| uri.scheme_str() == Some("wss"))
            .ok_or_else(|| invalid(format!("`{uri}` is no wss address")))?
            .trim_matches(['[', ']'])
            .to_owned();
        let name = ServerName::try_from(host.clone()).map_err(invalid)?;
        let tcp = TcpStream::connect((host, uri.port_u16().unwrap_or(443))).await?;
        tcp.set_nodelay(true)?;
        let tls = self.tls.connect(name, tcp).await?;
        let config = WebSocketConfig::default()
            .max_message_size(Some(self.read_limit))
            .max_frame_size(Some(self.read_limit));
        client_async_with_config(request, tls, Some(config))
            .await
            .map(|(socket, _)| socket)
            .map_err(io::Error::other)
    }
}

fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, error)
}
