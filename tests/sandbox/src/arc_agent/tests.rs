//! The agent against a Relay that does what a test tells it.

mod messages;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::StatusCode;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Bytes, Message};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async_with_config};

use super::{ArcAgent, ArcAgentOptions, PING_INTERVAL};

const TOKEN: &str = "SharedAccessSignature sr=a&sig=b&se=1&skn=listen";
const NAME: &str = "microsoft.hybridcompute/machines/0a1b/42/v2";

type RelaySocket = WebSocketStream<TlsStream<TcpStream>>;

/// A request for an upgrade, and the WebSocket if it was granted.
struct Arrival {
    uri: String,
    token: Option<String>,
    socket: Option<RelaySocket>,
}

struct FakeRelay {
    address: SocketAddr,
    ca_pem: String,
    arrivals: mpsc::UnboundedReceiver<Arrival>,
}

impl FakeRelay {
    async fn start() -> Self {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(signing_key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (arrive, arrivals) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                if let Ok(stream) = acceptor.accept(stream).await {
                    let _ = arrive.send(upgrade(stream).await);
                }
            }
        });
        Self {
            address,
            ca_pem: cert.pem(),
            arrivals,
        }
    }

    fn options(&self, target: SocketAddr) -> ArcAgentOptions {
        ArcAgentOptions {
            endpoint: format!("wss://{}", self.address),
            hybrid_connection: NAME.to_owned(),
            listen_token: TOKEN.to_owned(),
            ca_pem: self.ca_pem.clone(),
            target,
            allowed_ports: vec![22],
            read_limit: 64 << 20,
        }
    }

    /// Returns the next request, whatever became of it.
    async fn arrival(&mut self) -> Arrival {
        let arrival = timeout(Duration::from_secs(120), self.arrivals.recv());
        arrival.await.unwrap().unwrap()
    }

    async fn socket(&mut self) -> RelaySocket {
        self.arrival().await.socket.unwrap()
    }

    /// Starts an agent, and returns it with the control channel.
    async fn agent(&mut self, target: SocketAddr) -> (ArcAgent, RelaySocket) {
        let agent = ArcAgent::start(self.options(target)).await.unwrap();
        (agent, self.socket().await)
    }

    /// Tells the agent of a sender.
    async fn announce(&self, control: &mut RelaySocket, headers: &str) {
        let address = format!(
            "wss://{}/$hc/{NAME}?sb-hc-action=accept&sb-hc-id=1",
            self.address
        );
        let text = format!(
            r#"{{"accept":{{"address":"{address}","id":"1","connectHeaders":{headers}}}}}"#
        );
        control.send(Message::Text(text.into())).await.unwrap();
    }

    /// Tells the agent of a sender that wants port 22, and returns the rendezvous.
    async fn connect(&mut self, control: &mut RelaySocket) -> RelaySocket {
        let headers = r#"{"Microsoft-Guestgateway-Target":"localhost:22"}"#;
        self.announce(control, headers).await;
        self.socket().await
    }
}

/// Answers a refusal with 410, a wrong token with 401, and grants the rest.
async fn upgrade(stream: TlsStream<TcpStream>) -> Arrival {
    let mut uri = String::new();
    let mut token = None;
    let judge = |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
        uri = request.uri().to_string();
        let header = request.headers().get("servicebusauthorization");
        token = header.map(|value| value.to_str().unwrap().to_owned());
        let status = if uri.contains("sb-hc-statusCode") {
            StatusCode::GONE
        } else if uri.contains("sb-hc-action=listen") && token.as_deref() != Some(TOKEN) {
            StatusCode::UNAUTHORIZED
        } else {
            return Ok(response);
        };
        let mut refusal = ErrorResponse::new(None);
        *refusal.status_mut() = status;
        Err(refusal)
    };
    let config = WebSocketConfig::default()
        .max_frame_size(None)
        .max_message_size(None);
    let socket = accept_hdr_async_with_config(stream, judge, Some(config))
        .await
        .ok();
    Arrival { uri, token, socket }
}

/// A machine that says what it hears.
async fn echo() -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut reader, mut writer) = stream.split();
                let _ = tokio::io::copy(&mut reader, &mut writer).await;
            });
        }
    });
    address
}

/// An address that refuses connections: it is taken, and nobody listens.
struct Nobody(TcpSocket);

impl Nobody {
    fn new() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
        Self(socket)
    }

    fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }
}

async fn read(socket: &mut RelaySocket, length: usize) -> Vec<u8> {
    let mut data = Vec::new();
    while data.len() < length {
        let message = timeout(Duration::from_secs(120), socket.next()).await;
        match message.unwrap().unwrap().unwrap() {
            Message::Binary(part) => data.extend_from_slice(&part),
            other => panic!("{other:?}"),
        }
    }
    data
}

#[tokio::test]
async fn control_channel_names_the_connection_and_carries_the_token() {
    let machine = Nobody::new();
    let mut relay = FakeRelay::start().await;
    let _agent = ArcAgent::start(relay.options(machine.address()))
        .await
        .unwrap();
    let arrival = relay.arrival().await;
    let expected = format!("/$hc/{NAME}?sb-hc-action=listen&sb-hc-id=");
    assert!(arrival.uri.starts_with(&expected), "{}", arrival.uri);
    assert_eq!(arrival.token.as_deref(), Some(TOKEN));
}

#[tokio::test]
async fn start_fails_with_the_status_when_the_relay_refuses() {
    let machine = Nobody::new();
    let relay = FakeRelay::start().await;
    let mut options = relay.options(machine.address());
    options.listen_token = "wrong".to_owned();
    let error = ArcAgent::start(options).await.unwrap_err();
    assert!(error.to_string().contains("401"), "{error}");
}

#[tokio::test]
async fn start_fails_when_the_relay_is_of_another_authority() {
    let machine = Nobody::new();
    let relay = FakeRelay::start().await;
    let mut options = relay.options(machine.address());
    options.ca_pem = FakeRelay::start().await.ca_pem;
    assert!(ArcAgent::start(options).await.is_err());
}

#[tokio::test]
async fn refuse_port_that_is_not_allowed() {
    let mut relay = FakeRelay::start().await;
    let (_agent, mut control) = relay.agent(echo().await).await;
    let headers = r#"{"microsoft-guestgateway-target":"localhost:2222"}"#;
    relay.announce(&mut control, headers).await;
    let refusal = relay.arrival().await.uri;
    assert!(
        refusal.ends_with(
            "sb-hc-action=accept&sb-hc-id=1&sb-hc-statusCode=403&sb-hc-statusDescription=\
             SSH%20connection%20is%20not%20enabled%20in%20the%20target%20port%202222"
        ),
        "{refusal}"
    );
}

#[tokio::test]
async fn refuse_when_the_machine_refuses() {
    let machine = Nobody::new();
    let mut relay = FakeRelay::start().await;
    let (_agent, mut control) = relay.agent(machine.address()).await;
    let headers = r#"{"Microsoft-Guestgateway-Target":"localhost:22"}"#;
    relay.announce(&mut control, headers).await;
    let refusal = relay.arrival().await.uri;
    assert!(
        refusal.ends_with(
            "sb-hc-statusCode=503&sb-hc-statusDescription=\
             connection%20to%20localhost%3A22%20failed%3A%20dial%20tcp%20%5B%3A%3A1%5D%3A22%3A%20\
             connect%3A%20connection%20refused"
        ),
        "{refusal}"
    );
}

#[tokio::test]
async fn lost_control_channel_is_opened_again_and_connections_survive() {
    let mut relay = FakeRelay::start().await;
    let (_agent, mut control) = relay.agent(echo().await).await;
    let mut first = relay.connect(&mut control).await;
    drop(control);
    let mut control = relay.socket().await;
    let mut second = relay.connect(&mut control).await;
    for sender in [&mut first, &mut second] {
        sender
            .send(Message::Binary(Bytes::from_static(b"still here")))
            .await
            .unwrap();
        assert_eq!(read(sender, 10).await, b"still here");
    }
}

#[tokio::test]
async fn control_channel_is_pinged_and_given_up_without_an_answer() {
    let machine = Nobody::new();
    let mut relay = FakeRelay::start().await;
    let (_agent, mut control) = relay.agent(machine.address()).await;
    // By then the agent has begun to count.
    tokio::time::sleep(Duration::from_secs(1)).await;
    for _ in 0..2 {
        tokio::time::pause();
        tokio::time::advance(PING_INTERVAL).await;
        tokio::time::resume();
        // Reading the ping answers it.
        let ping = timeout(Duration::from_secs(120), control.next())
            .await
            .unwrap();
        assert!(matches!(ping, Some(Ok(Message::Ping(_)))), "{ping:?}");
        control.flush().await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(control.next().now_or_never().is_none());
    }
    for _ in 0..2 {
        tokio::time::pause();
        tokio::time::advance(PING_INTERVAL).await;
        tokio::time::resume();
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert!(relay.arrival().await.uri.contains("sb-hc-action=listen"));
}

#[tokio::test]
async fn stopped_agent_leaves_the_relay_and_the_machine() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let mut relay = FakeRelay::start().await;
    let (agent, mut control) = relay.agent(listener.local_addr().unwrap()).await;
    let mut sender = relay.connect(&mut control).await;
    let (mut machine, _) = listener.accept().await.unwrap();
    agent.stop();
    let end = timeout(Duration::from_secs(120), async {
        let mut rest = Vec::new();
        let _ = machine.read_to_end(&mut rest).await;
        (control.next().await, sender.next().await)
    });
    let (control, sender) = end.await.unwrap();
    assert!(!matches!(control, Some(Ok(_))), "{control:?}");
    assert!(!matches!(sender, Some(Ok(_))), "{sender:?}");
    assert!(relay.arrivals.try_recv().is_err());
}
