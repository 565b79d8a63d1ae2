//! The Arc agent of a machine, as far as SSH needs it: the listener of an Azure Relay hybrid connection.
//!
//! ```text
//! Relay                                       agent                          machine
//!   │<── listen, ServiceBusAuthorization ───────┤                               │
//!   ├─── {"accept":{"address","connectHeaders"}} ──>│                           │
//!   │                                           ├─── TCP ──────────────────────>│
//!   │<── address ───────────────────────────────┤   bytes in binary messages    │
//!   │<── address&sb-hc-statusCode=… ────────────┤   or a refusal                │
//! ```
//!
//! It knows nothing of the sandbox's own Relay, so it can listen on any; the protocol is that of the
//! [Hybrid Connections guide](https://learn.microsoft.com/azure/azure-relay/relay-hybrid-connections-protocol).
//! What it says when it refuses is what the real agent says.

mod rendezvous;
mod socket;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, interval_at, sleep};
use tokio_tungstenite::tungstenite::{Bytes, Message};
use uuid::Uuid;

use rendezvous::{Accept, Gateway};
use socket::{Dialer, Socket};

/// How often the control channel is pinged; by the next ping something must have come back.
const PING_INTERVAL: Duration = Duration::from_secs(30);

/// How long the agent waits before it opens a lost control channel again.
const RECONNECT_DELAY: Duration = Duration::from_secs(1);

/// What may stand in a hybrid connection's path as it is.
const PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'/')
    .remove(b'_')
    .remove(b'~');

/// What an agent is started with.
#[derive(Clone)]
pub struct ArcAgentOptions {
    /// The Relay's namespace: `wss://127.0.0.1:8443`.
    pub endpoint: String,
    /// The name of the hybrid connection to listen on.
    pub hybrid_connection: String,
    /// A SAS token that confers the *Listen* right: `SharedAccessSignature sr=…&sig=…&se=…&skn=…`.
    pub listen_token: String,
    /// The certificate authorities that the Relay's certificate may come from, and no others.
    pub ca_pem: String,
    /// Where the machine's SSH server listens, whatever port the client asks for.
    pub target: SocketAddr,
    /// The ports that clients may ask for, usually 22. Any other is refused with 403.
    pub allowed_ports: Vec<u16>,
    /// The longest message that is read, in bytes; one that is longer closes the connection with 1009.
    pub read_limit: usize,
}

impl std::fmt::Debug for ArcAgentOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ArcAgentOptions")
            .field("endpoint", &self.endpoint)
            .field("hybrid_connection", &self.hybrid_connection)
            .field("target", &self.target)
            .field("allowed_ports", &self.allowed_ports)
            .field("read_limit", &self.read_limit)
            .finish_non_exhaustive()
    }
}

/// A running agent; it stops listening, and its connections end, when it is dropped.
#[derive(Debug)]
pub struct ArcAgent {
    task: AbortHandle,
}

impl ArcAgent {
    /// Starts an agent, and returns once its control channel is open.
    ///
    /// A control channel that is lost later is opened again, as often as it takes.
    ///
    /// # Errors
    ///
    /// Returns an error when `ca_pem` holds no certificate, and when the Relay is out of reach or
    /// refuses the listener; the text then has the HTTP status.
    pub async fn start(options: ArcAgentOptions) -> io::Result<Self> {
        let dialer = Dialer::new(&options.ca_pem, options.read_limit)?;
        let listener = Listener {
            gateway: Arc::new(Gateway {
                allowed_ports: options.allowed_ports,
                dialer,
                target: options.target,
            }),
            endpoint: options.endpoint,
            hybrid_connection: options.hybrid_connection,
            listen_token: options.listen_token,
        };
        let control = listener.open().await?;
        let task = tokio::spawn(listener.run(control)).abort_handle();
        Ok(Self { task })
    }

    /// Stops listening and ends all connections.
    pub fn stop(&self) {
        self.task.abort();
    }
}

impl Drop for ArcAgent {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The control channel's side of the agent.
struct Listener {
    gateway: Arc<Gateway>,
    endpoint: String,
    hybrid_connection: String,
    listen_token: String,
}

impl Listener {
    async fn open(&self) -> io::Result<Socket> {
        let endpoint = self.endpoint.trim_end_matches('/');
        let path = utf8_percent_encode(&self.hybrid_connection, PATH);
        let id = Uuid::new_v4();
        let address = format!("{endpoint}/$hc/{path}?sb-hc-action=listen&sb-hc-id={id}");
        let authorization = Some(self.listen_token.as_str());
        self.gateway.dialer.open(&address, authorization).await
    }

    /// Serves control channels one after another. Connections outlive the channel that announced
    /// them, and end with this future.
    async fn run(self, mut control: Socket) {
        let mut connections = JoinSet::new();
        loop {
            self.serve(control, &mut connections).await;
            control = loop {
                sleep(RECONNECT_DELAY).await;
                if let Ok(control) = self.open().await {
                    break control;
                }
            };
        }
    }

    /// Serves a control channel until it is closed, fails, or leaves a ping unanswered.
    async fn serve(&self, mut control: Socket, connections: &mut JoinSet<()>) {
        let mut pings = interval_at(Instant::now() + PING_INTERVAL, PING_INTERVAL);
        let mut heard = true;
        loop {
            tokio::select! {
                message = control.next() => match message {
                    Some(Ok(Message::Text(text))) => {
                        heard = true;
                        if let Some(accept) = Accept::parse(&text) {
                            connections.spawn(Arc::clone(&self.gateway).handle(accept));
                        }
                    }
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                    Some(Ok(_)) => heard = true,
                },
                _ = pings.tick() => {
                    let ping = Message::Ping(Bytes::new());
                    if !std::mem::take(&mut heard) || control.send(ping).await.is_err() {
                        return;
                    }
                }
                Some(_) = connections.join_next() => (),
            }
        }
    }
}

#[cfg(test)]
mod tests;
