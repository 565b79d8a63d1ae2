//! What the agent does about a sender: reads what it wants, dials the machine, accepts or refuses.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};

use super::socket::{Dialer, Socket};

/// How long the machine may take to answer.
const DIAL_TIME: Duration = Duration::from_secs(10);

/// How long the Relay may take to close its side after the agent closed the other.
const CLOSE_TIME: Duration = Duration::from_secs(10);

/// What is read from the machine at once, and so the largest message sent.
const READ_BYTES: usize = 64 * 1024;

/// The header by which a sender says what it wants to reach: `localhost:22`.
const TARGET_HEADER: &str = "Microsoft-Guestgateway-Target";

/// The Relay's notice of a sender.
#[derive(Debug, Deserialize)]
pub(super) struct Accept {
    address: String,
    #[serde(default, rename = "connectHeaders")]
    connect_headers: BTreeMap<String, String>,
}

impl Accept {
    /// Reads a message of the control channel; any other than `accept` is none.
    pub(super) fn parse(text: &str) -> Option<Self> {
        #[derive(Deserialize)]
        struct Envelope {
            accept: Accept,
        }
        serde_json::from_str(text)
            .ok()
            .map(|Envelope { accept }| accept)
    }

    /// Returns the port that the sender wants on the machine.
    fn port(&self) -> Result<u16, Refusal> {
        self.connect_headers
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(TARGET_HEADER))
            .and_then(|(_, value)| value.strip_prefix("localhost:"))
            .and_then(|port| port.parse().ok())
            .ok_or(Refusal::NoTarget)
    }

    /// Returns the address that tells the Relay of a refusal.
    fn refusal_address(&self, refusal: &Refusal) -> String {
        let separator = if self.address.contains('?') { '&' } else { '?' };
        let status = refusal.status();
        let text = refusal.to_string();
        let description = utf8_percent_encode(&text, NON_ALPHANUMERIC);
        let address = &self.address;
        format!(
            "{address}{separator}sb-hc-statusCode={status}&sb-hc-statusDescription={description}"
        )
    }
}

/// Why a sender is not let through.
#[derive(Debug, Eq, PartialEq)]
enum Refusal {
    MachineRefused { port: u16 },
    MachineSilent { port: u16 },
    NoTarget,
    PortNotAllowed { port: u16 },
}

impl Refusal {
    fn status(&self) -> u16 {
        match self {
            Self::MachineRefused { .. } | Self::MachineSilent { .. } => 503,
            Self::NoTarget => 400,
            Self::PortNotAllowed { .. } => 403,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MachineRefused { port } => write!(
                f,
                "connection to localhost:{port} failed: dial tcp [::1]:{port}: connect: connection refused"
            ),
            Self::MachineSilent { port } => write!(
                f,
                "connection to localhost:{port} failed: dial tcp [::1]:{port}: i/o timeout"
            ),
            Self::NoTarget => write!(f, "no target port in the header {TARGET_HEADER}"),
            Self::PortNotAllowed { port } => {
                write!(f, "SSH connection is not enabled in the target port {port}")
            }
        }
    }
}

/// Between the Relay and the machine.
pub(super) struct Gateway {
    pub(super) allowed_ports: Vec<u16>,
    pub(super) dialer: Dialer,
    pub(super) target: SocketAddr,
}

impl Gateway {
    /// Lets a sender through to the machine until either ends, or refuses it.
    pub(super) async fn handle(self: Arc<Self>, accept: Accept) {
        match self.dial_machine(&accept).await {
            // A rendezvous that fails is the sender's to notice: the Relay answers it 504.
            Ok(machine) => {
                if let Ok(socket) = self.dialer.open(&accept.address, None).await {
                    carry(socket, machine).await;
                }
            }
            // The Relay answers 410, which is a refused upgrade and means that it has understood.
            Err(refusal) => {
                let address = accept.refusal_address(&refusal);
                let _ = self.dialer.open(&address, None).await;
            }
        }
    }

    async fn dial_machine(&self, accept: &Accept) -> Result<TcpStream, Refusal> {
        let port = accept.port()?;
        if !self.allowed_ports.contains(&port) {
            return Err(Refusal::PortNotAllowed { port });
        }
        let dial = async {
            let machine = TcpStream::connect(self.target).await?;
            machine.set_nodelay(true)?;
            io::Result::Ok(machine)
        };
        match timeout(DIAL_TIME, dial).await {
            Ok(Ok(machine)) => Ok(machine),
            Ok(Err(_)) => Err(Refusal::MachineRefused { port }),
            Err(_) => Err(Refusal::MachineSilent { port }),
        }
    }
}

/// How the sender's direction ended.
enum End {
    /// The Relay closed the WebSocket, or it broke.
    Closed,
    /// A message was longer than the read limit.
    TooLong,
}

/// Carries bytes both ways. Each direction waits for its own slower side and holds one message.
async fn carry(socket: Socket, machine: TcpStream) {
    let (mut sink, mut stream) = socket.split();
    let (reader, writer) = machine.into_split();
    let end = {
        let down = to_machine(&mut stream, writer);
        tokio::pin!(down);
        tokio::select! {
            end = &mut down => end,
            () = to_relay(reader, &mut sink) => {
                // The Relay answers a close with a close; without one the connection is dropped.
                let _ = timeout(CLOSE_TIME, down).await;
                return;
            }
        }
    };
    if let (End::TooLong, Ok(socket)) = (end, sink.reunite(stream)) {
        close_too_long(socket).await;
    }
}

/// Closes with 1009, in the words of Go's library. What the Relay still sends is read and thrown away:
/// to drop it unread would reset the connection before the Relay has read the reason.
async fn close_too_long(mut socket: Socket) {
    let limit = socket.get_config().max_message_size.unwrap_or_default();
    let frame = CloseFrame {
        code: CloseCode::Size,
        reason: format!("read limited at {} bytes", limit + 1).into(),
    };
    let _ = socket.send(Message::Close(Some(frame))).await;
    let rest = async {
        let mut buffer = vec![0; READ_BYTES];
        while let Ok(1..) = socket.get_mut().read(&mut buffer).await {}
    };
    let _ = timeout(CLOSE_TIME, rest).await;
}

/// Returns when the Relay closes the WebSocket. What the machine no longer takes is thrown away, so
/// that its own last words still get through.
async fn to_machine(relay: &mut SplitStream<Socket>, machine: OwnedWriteHalf) -> End {
    let mut machine = Some(machine);
    while let Some(message) = relay.next().await {
        let data = match message {
            Ok(Message::Binary(data)) => data,
            Ok(Message::Text(text)) => Bytes::from(text),
            Ok(Message::Close(_)) => {
                // The answer goes out with the next look at the socket, which may be a long one.
                drop(machine);
                let _ = timeout(CLOSE_TIME, relay.next()).await;
                return End::Closed;
            }
            Ok(_) => continue,
            Err(Error::Capacity(_)) => return End::TooLong,
            Err(_) => return End::Closed,
        };
        if let Some(mut writer) = machine.take()
            && writer.write_all(&data).await.is_ok()
        {
            machine = Some(writer);
        }
    }
    End::Closed
}

/// Returns when the machine ends or the Relay takes no more; closes with 1000.
async fn to_relay(mut machine: OwnedReadHalf, relay: &mut SplitSink<Socket, Message>) {
    let mut buffer = vec![0; READ_BYTES];
    while let Ok(length @ 1..) = machine.read(&mut buffer).await {
        let data = buffer.get(..length).unwrap_or_default();
        let message = Message::Binary(Bytes::copy_from_slice(data));
        if relay.send(message).await.is_err() {
            return;
        }
    }
    let frame = CloseFrame {
        code: CloseCode::Normal,
        reason: "".into(),
    };
    let _ = relay.send(Message::Close(Some(frame))).await;
}

#[cfg(test)]
mod tests {
    use super::{Accept, Refusal};

    fn accept(headers: &str) -> Accept {
        let text = format!(
            r#"{{"accept":{{"address":"wss://r/$hc/a?sb-hc-action=accept&sb-hc-id=1","id":"1","connectHeaders":{headers}}}}}"#
        );
        Accept::parse(&text).unwrap()
    }

    #[test]
    fn target_header_is_found_whatever_its_case() {
        for name in [
            "Microsoft-Guestgateway-Target",
            "microsoft-guestgateway-target",
        ] {
            let accept = accept(&format!(r#"{{"Host":"r","{name}":"localhost:2222"}}"#));
            assert_eq!(accept.port(), Ok(2222));
        }
    }

    #[test]
    fn sender_without_a_readable_target_is_refused() {
        for headers in [
            "{}",
            r#"{"Microsoft-Guestgateway-Target":""}"#,
            r#"{"Microsoft-Guestgateway-Target":"localhost:65536"}"#,
            r#"{"Microsoft-Guestgateway-Target":"10.0.0.1:22"}"#,
        ] {
            assert_eq!(accept(headers).port(), Err(Refusal::NoTarget), "{headers}");
        }
    }

    #[test]
    fn refusal_is_appended_to_the_address() {
        let address = accept("{}").refusal_address(&Refusal::PortNotAllowed { port: 23 });
        assert_eq!(
            address,
            "wss://r/$hc/a?sb-hc-action=accept&sb-hc-id=1&sb-hc-statusCode=403\
             &sb-hc-statusDescription=SSH%20connection%20is%20not%20enabled%20in%20the%20target%20port%2023"
        );
    }

    #[test]
    fn messages_of_other_kinds_are_no_accepts() {
        for text in [
            "",
            "{}",
            r#"{"request":{"address":"wss://r"}}"#,
            r#"{"accept":{}}"#,
        ] {
            assert!(Accept::parse(text).is_none(), "{text}");
        }
    }
}
