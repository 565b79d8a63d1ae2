//! The HTTP that comes before a WebSocket (RFC 6455, section 4), by hand: the status texts of the
//! Relay say more than the usual ones, and faults need to break it.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use super::sas::{self, Policies, Right};
use super::{Socket, Stream};
use crate::clock::unix_now;
use crate::encoding::percent_decode;
use crate::http::Fields;

/// A head above this many bytes is not read.
const MAX_HEAD_BYTES: usize = 64 * 1024;
/// And so many header fields.
const MAX_HEADERS: usize = 128;
/// A client gets this long to send its head.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// A message above this many bytes ends its connection.
const MAX_MESSAGE_BYTES: usize = 64 * 1024 * 1024;
/// The path that everything is below.
const PREFIX: &str = "/$hc/";

/// The head of a request, and what came right behind it.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) method: String,
    /// The path as it was sent.
    pub(crate) path: String,
    pub(crate) query: Fields,
    /// Names as they were sent.
    pub(crate) headers: Vec<(String, String)>,
    early: Vec<u8>,
}

impl Head {
    /// Reads a head.
    pub(crate) async fn read(stream: &mut Stream) -> io::Result<Self> {
        tokio::time::timeout(HEAD_TIME, Self::read_slowly(stream)).await?
    }

    async fn read_slowly(stream: &mut Stream) -> io::Result<Self> {
        let mut buffer = Vec::with_capacity(4 * 1024);
        loop {
            if stream.read_buf(&mut buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if let Some(head) = Self::parse(&buffer)? {
                return Ok(head);
            }
            if buffer.len() > MAX_HEAD_BYTES {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "the head is too long",
                ));
            }
        }
    }

    /// Parses a head if it is there to its end.
    fn parse(buffer: &[u8]) -> io::Result<Option<Self>> {
        let invalid = |error: String| io::Error::new(io::ErrorKind::InvalidData, error);
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut request = httparse::Request::new(&mut headers);
        let length = match request.parse(buffer) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(error) => return Err(invalid(error.to_string())),
        };
        let target = request.path.unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Ok(Some(Self {
            method: request.method.unwrap_or_default().to_owned(),
            path: path.to_owned(),
            query: Fields::parse(query.as_bytes()),
            headers: request
                .headers
                .iter()
                .map(|header| {
                    let value = String::from_utf8_lossy(header.value).into_owned();
                    (header.name.to_owned(), value)
                })
                .collect(),
            early: buffer.get(length..).unwrap_or_default().to_vec(),
        }))
    }

    /// Returns a header field.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// Returns what is wanted, once it is known to be a WebSocket.
    pub(crate) fn action(&self) -> Result<&str, Refusal> {
        let websocket = self.method == "GET"
            && self
                .header("upgrade")
                .is_some_and(|upgrade| upgrade.eq_ignore_ascii_case("websocket"))
            && self.header("sec-websocket-version") == Some("13")
            && self.header("sec-websocket-key").is_some();
        if !websocket {
            return Err(Refusal::new(
                400,
                "this is not the handshake of a WebSocket",
            ));
        }
        self.query
            .value("sb-hc-action")
            .ok_or_else(|| Refusal::new(400, "the parameter sb-hc-action is missing"))
    }

    /// Returns the path below `/$hc/`, decoded.
    pub(crate) fn connection_path(&self) -> Result<String, Refusal> {
        let path = percent_decode(&self.path);
        path.strip_prefix(PREFIX)
            .map(|path| path.trim_matches('/').to_owned())
            .filter(|path| !path.is_empty())
            .ok_or_else(Refusal::no_endpoint)
    }

    /// Checks the token of a request; returns when it expires.
    pub(crate) fn authorize(
        &self,
        policies: &Policies,
        right: Right,
        connection: &str,
    ) -> Result<u64, Refusal> {
        let token = self
            .query
            .value("sb-hc-token")
            .or_else(|| self.header("servicebusauthorization"))
            .ok_or_else(|| Refusal::new(401, "the security token is missing"))?;
        policies
            .check(token, right, connection, unix_now())
            .map_err(|refusal| match refusal {
                sas::Refusal::Invalid => Refusal::new(401, "the security token is not valid"),
                sas::Refusal::Forbidden(why) => Refusal::new(403, why),
            })
    }

    /// Completes the handshake.
    pub(crate) async fn upgrade(
        &self,
        mut stream: Stream,
        protocol: Option<&str>,
    ) -> io::Result<Socket> {
        let key = self.header("sec-websocket-key").unwrap_or_default();
        let answer = switching_protocols(&derive_accept_key(key.as_bytes()), protocol);
        stream.write_all(answer.as_bytes()).await?;
        stream.flush().await?;
        let config = WebSocketConfig::default()
            .max_message_size(Some(MAX_MESSAGE_BYTES))
            .max_frame_size(Some(MAX_MESSAGE_BYTES));
        Ok(WebSocketStream::from_partially_read(
            stream,
            self.early.clone(),
            Role::Server,
            Some(config),
        )
        .await)
    }
}

/// Returns the head of an upgrade.
pub(crate) fn switching_protocols(accept: &str, protocol: Option<&str>) -> String {
    let protocol = protocol.map_or_else(String::new, |protocol| {
        format!("Sec-WebSocket-Protocol: {}\r\n", printable(protocol))
    });
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n{protocol}\r\n"
    )
}

/// A refusal of the upgrade; the text is both the status text and the body.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    text: String,
}

impl Refusal {
    pub(crate) fn new(status: u16, text: &str) -> Self {
        Self {
            status,
            text: printable(text),
        }
    }

    /// The connection is not known (yet).
    pub(crate) fn no_endpoint() -> Self {
        Self::new(404, "Endpoint does not exist")
    }

    pub(crate) fn no_listeners() -> Self {
        Self::new(404, "There are no listeners connected for the endpoint")
    }

    /// Sends the refusal and closes the connection.
    pub(crate) async fn send(&self, mut stream: Stream) {
        let answer = format!(
            "HTTP/1.1 {status} {text}\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\
             Connection: close\r\n\r\n{text}",
            status = self.status,
            text = self.text,
            length = self.text.len(),
        );
        // Whoever is gone already misses nothing.
        if stream.write_all(answer.as_bytes()).await.is_ok() {
            let _: io::Result<()> = stream.shutdown().await;
        }
    }
}

/// Leaves out what cannot stand in a header or a status line.
fn printable(text: &str) -> String {
    text.chars()
        .filter(|c| c.is_ascii() && !c.is_ascii_control())
        .collect()
}
