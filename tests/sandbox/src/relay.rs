//! Azure Relay: listeners, senders, and where they meet.
//!
//! ```text
//! listener ── listen ──> control channel, kept open
//! sender ──── connect ─> waits          control channel ── {"accept":{address}} ──> listener
//!                                       listener ── address ──> joined with the sender
//! ```
//!
//! <https://learn.microsoft.com/azure/azure-relay/relay-hybrid-connections-protocol>

pub(crate) mod connect;
pub(crate) mod handshake;
pub(crate) mod listen;
pub(crate) mod pipe;
pub(crate) mod rendezvous;
pub(crate) mod sas;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_tungstenite::WebSocketStream;

use crate::encoding::{hex, sha256};
use crate::fault::Fault;
use crate::http::accept_tls;
use crate::journal::Service;
use crate::options::{Connectivity, MachineSpec, Options, ResourceKind};
use crate::world::{World, lock};
use handshake::{Head, Refusal};
use rendezvous::Meetings;
use sas::{Policies, Right};

/// Listeners on one hybrid connection, at most.
const MAX_LISTENERS: usize = 25;
/// Messages that wait for a control channel, at most.
const CONTROL_BACKLOG: usize = 64;

/// A connection before its upgrade.
pub(crate) type Stream = TlsStream<TcpStream>;
/// A connection after its upgrade.
pub(crate) type Socket = WebSocketStream<Stream>;

/// One namespace with its hybrid connections.
pub(crate) struct Relay {
    policies: Policies,
    /// The hybrid connection of each machine, in the order of the options.
    of_machines: Vec<String>,
    connections: Mutex<HashMap<String, HybridConnection>>,
    meetings: Meetings,
}

/// A hybrid connection and who listens on it.
#[derive(Default)]
struct HybridConnection {
    /// Whether the Relay knows of it yet: not before somebody listened, after a set-up.
    announced: bool,
    /// Whether senders have to bring a service configuration token.
    of_machine: bool,
    listeners: Vec<Listener>,
    turn: usize,
}

/// A control channel.
#[derive(Clone)]
struct Listener {
    id: u64,
    messages: mpsc::Sender<String>,
}

impl Relay {
    pub(crate) fn new(options: &Options, port: u16) -> Self {
        let mut connections = HashMap::new();
        for name in &options.hybrid_connections {
            connections.insert(
                name.to_lowercase(),
                HybridConnection {
                    announced: true,
                    ..HybridConnection::default()
                },
            );
        }
        let of_machines: Vec<String> = options.machines.iter().map(connection_name).collect();
        for (name, machine) in of_machines.iter().zip(&options.machines) {
            if machine.kind != ResourceKind::Vm {
                connections.insert(
                    name.clone(),
                    HybridConnection {
                        announced: machine.connectivity == Connectivity::NobodyListens,
                        of_machine: true,
                        ..HybridConnection::default()
                    },
                );
            }
        }
        Self {
            policies: Policies::new(&format!("127.0.0.1:{port}")),
            of_machines,
            connections: Mutex::new(connections),
            meetings: Meetings::default(),
        }
    }

    /// Returns the name of a machine's hybrid connection.
    pub(crate) fn connection_of(&self, machine: usize) -> &str {
        &self.of_machines[machine]
    }

    /// Signs a token.
    pub(crate) fn token(&self, right: Right, connection: &str, expires: u64) -> String {
        self.policies.sign(right, connection, expires)
    }

    /// Closes all control channels of a connection, as a change to its endpoint does.
    pub(crate) fn drop_listeners(&self, connection: &str) {
        if let Some(connection) = lock(&self.connections).get_mut(connection) {
            connection.announced = false;
            connection.listeners.clear();
        }
    }

    /// Closes all control channels of a connection, as the end of its agent does.
    pub(crate) fn disconnect_listeners(&self, connection: &str) {
        if let Some(connection) = lock(&self.connections).get_mut(connection) {
            connection.listeners.clear();
        }
    }

    /// Finds the registered connection that a path names, with or without something behind it.
    fn find(&self, path: &str) -> Option<String> {
        let path = path.to_lowercase();
        lock(&self.connections)
            .keys()
            .filter(|name| {
                path.strip_prefix(name.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            })
            .max_by_key(|name| name.len())
            .cloned()
    }

    /// Adds a control channel; returns its end, and the ID it is removed by.
    fn add_listener(&self, connection: &str) -> Result<(u64, mpsc::Receiver<String>), Refusal> {
        let mut connections = lock(&self.connections);
        let connection = connections
            .get_mut(connection)
            .ok_or_else(Refusal::no_endpoint)?;
        if connection.listeners.len() >= MAX_LISTENERS {
            return Err(Refusal::new(
                403,
                "the hybrid connection has all the listeners it may have",
            ));
        }
        let (messages, receiver) = mpsc::channel(CONTROL_BACKLOG);
        let id = u64::from_le_bytes(crate::encoding::random_bytes());
        connection.announced = true;
        connection.listeners.push(Listener { id, messages });
        Ok((id, receiver))
    }

    fn remove_listener(&self, connection: &str, id: u64) {
        if let Some(connection) = lock(&self.connections).get_mut(connection) {
            connection.listeners.retain(|listener| listener.id != id);
        }
    }

    /// Returns the listeners of a connection, starting with whose turn it is.
    fn listeners(&self, connection: &str) -> Result<Vec<Listener>, Refusal> {
        let mut connections = lock(&self.connections);
        let connection = connections
            .get_mut(connection)
            .filter(|connection| connection.announced)
            .ok_or_else(Refusal::no_endpoint)?;
        if connection.listeners.is_empty() {
            return Err(Refusal::no_listeners());
        }
        let turn = connection.turn % connection.listeners.len();
        connection.turn = connection.turn.wrapping_add(1);
        let mut listeners = connection.listeners.clone();
        listeners.rotate_left(turn);
        Ok(listeners)
    }

    fn of_machine(&self, connection: &str) -> bool {
        lock(&self.connections)
            .get(connection)
            .is_some_and(|connection| connection.of_machine)
    }
}

/// Returns a name like `microsoft.hybridcompute/machines/{64 hex}/{digits}/v2`.
fn connection_name(machine: &MachineSpec) -> String {
    let digest = sha256(machine.resource_id().to_lowercase().as_bytes());
    let digits = digest
        .iter()
        .take(6)
        .fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    format!(
        "microsoft.hybridcompute/machines/{}/{digits}/v2",
        hex(&digest)
    )
}

/// Serves connections until the task is dropped.
pub(crate) async fn serve(world: Arc<World>, listener: TcpListener, tls: TlsAcceptor) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let world = Arc::clone(&world);
        let tls = tls.clone();
        tokio::spawn(async move {
            let is_mute = world.faults.take(|fault| *fault == Fault::RelayMute);
            if is_mute.is_some() {
                return stay_mute(stream).await;
            }
            if let Ok(stream) = accept_tls(&tls, stream).await {
                Box::pin(answer(world, stream)).await;
            }
        });
    }
}

/// Keeps a connection open until the client has had enough.
async fn stay_mute(mut stream: TcpStream) {
    let mut ignored = [0; 1_024];
    while stream
        .read(&mut ignored)
        .await
        .is_ok_and(|length| length > 0)
    {}
}

async fn answer(world: Arc<World>, mut stream: Stream) {
    let Ok(head) = Head::read(&mut stream).await else {
        return;
    };
    let outcome = match head.action() {
        Ok("listen") => listen::answer(&world, &head, stream).await,
        Ok("connect") => connect::answer(&world, &head, stream).await,
        Ok("accept") => rendezvous::answer(&world, &head, stream).await,
        Ok(other) => {
            let refusal = Refusal::new(400, &format!("the action {other} is not known"));
            Err((stream, refusal))
        }
        Err(refusal) => Err((stream, refusal)),
    };
    if let Err((stream, refusal)) = outcome {
        record(&world, &head, refusal.status);
        refusal.send(stream).await;
    }
}

/// Writes a row into the journal; 0 stands for a connection without an answer.
fn record(world: &World, head: &Head, status: u16) {
    world.journal.record(
        Service::Relay,
        &head.method,
        &head.path,
        &head.query,
        &crate::http::Fields::default(),
        status,
    );
}
