//! The machines, and the Arc agents that listen for them.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpSocket;
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;

use crate::arc_agent::{ArcAgent, ArcAgentOptions};
use crate::arm::connectivity::DEFAULT_PORT;
use crate::clock::unix_now;
use crate::machine::Machine;
use crate::relay::sas::Right;
use crate::world::World;

/// An agent that could not listen tries again after this long.
const RETRY_DELAY: Duration = Duration::from_secs(1);
/// How often, and in what steps, a port is tried that is being closed.
const CLOSE_TRIES: usize = 500;
const CLOSE_STEP: Duration = Duration::from_millis(10);
/// How long the token of an agent lasts, in seconds.
const LISTEN_TOKEN_SECONDS: u64 = 30 * 86_400;

/// What is known of a machine that runs.
#[derive(Clone, Debug)]
pub(crate) struct MachineFacts {
    pub(crate) address: SocketAddr,
    pub(crate) host_key: String,
}

/// What is to be done; each is told when it is done.
pub(crate) enum Command {
    /// Drops the listeners of a machine, and lets its agent listen after a while.
    Restart {
        machine: usize,
        delay: Duration,
        listening: oneshot::Sender<()>,
    },
    /// Stops an agent.
    Stop {
        machine: usize,
        done: oneshot::Sender<()>,
    },
    /// Stops what listens on a machine's SSH port.
    StopMachine {
        machine: usize,
        done: oneshot::Sender<()>,
    },
}

/// A handle to the task that owns machines and agents.
pub(crate) struct Agents {
    machines: Vec<Option<MachineFacts>>,
    commands: mpsc::UnboundedSender<Command>,
}

impl Agents {
    /// Returns the handle, and what the task is started with.
    pub(crate) fn new(machines: &[Option<Machine>]) -> (Self, mpsc::UnboundedReceiver<Command>) {
        let (commands, receiver) = mpsc::unbounded_channel();
        let machines = machines
            .iter()
            .map(|machine| {
                machine.as_ref().map(|machine| MachineFacts {
                    address: machine.address(),
                    host_key: machine.host_key(),
                })
            })
            .collect();
        (Self { machines, commands }, receiver)
    }

    /// Returns where a machine's SSH server listens.
    pub(crate) fn machine_address(&self, machine: usize) -> Option<SocketAddr> {
        Some(self.machines.get(machine)?.as_ref()?.address)
    }

    /// Returns the machine's host key, as a line of `known_hosts` has it after the name.
    pub(crate) fn host_key(&self, machine: usize) -> Option<&str> {
        Some(&self.machines.get(machine)?.as_ref()?.host_key)
    }

    /// Lets a machine's agent listen anew; the receiver is told when it does.
    pub(crate) fn restart(&self, machine: usize, delay: Duration) -> oneshot::Receiver<()> {
        let (listening, receiver) = oneshot::channel();
        self.send(Command::Restart {
            machine,
            delay,
            listening,
        });
        receiver
    }

    pub(crate) fn stop(&self, machine: usize) -> oneshot::Receiver<()> {
        let (done, receiver) = oneshot::channel();
        self.send(Command::Stop { machine, done });
        receiver
    }

    pub(crate) fn stop_machine(&self, machine: usize) -> oneshot::Receiver<()> {
        let (done, receiver) = oneshot::channel();
        self.send(Command::StopMachine { machine, done });
        receiver
    }

    fn send(&self, command: Command) {
        // The task ends with the sandbox, and then nobody waits for anything.
        let _: Result<(), _> = self.commands.send(command);
    }
}

/// Owns machines and agents, and does what it is told.
pub(crate) async fn run(
    world: Arc<World>,
    mut machines: Vec<Option<Machine>>,
    mut commands: mpsc::UnboundedReceiver<Command>,
) {
    let mut agents: HashMap<usize, AbortHandle> = HashMap::new();
    let mut refusing = Vec::new();
    while let Some(command) = commands.recv().await {
        match command {
            Command::Restart {
                machine,
                delay,
                listening,
            } => {
                stop(&mut agents, machine);
                world
                    .relay
                    .drop_listeners(world.relay.connection_of(machine));
                let agent = tokio::spawn(listen(Arc::clone(&world), machine, delay, listening));
                agents.insert(machine, agent.abort_handle());
            }
            Command::Stop { machine, done } => {
                stop(&mut agents, machine);
                let connection = world.relay.connection_of(machine);
                world.relay.disconnect_listeners(connection);
                let _: Result<(), ()> = done.send(());
            }
            Command::StopMachine { machine, done } => {
                let stopped = machines.get_mut(machine).and_then(Option::take);
                if let Some(stopped) = stopped {
                    let address = stopped.address();
                    drop(stopped);
                    refusing.extend(take_over(address).await);
                }
                let _: Result<(), ()> = done.send(());
            }
        }
    }
}

/// Takes the port of a server that was dropped, once it has ended: without a listener the port refuses connections, and no
/// other program can get it.
async fn take_over(address: SocketAddr) -> Option<TcpSocket> {
    for _ in 0..CLOSE_TRIES {
        let socket = TcpSocket::new_v4().ok()?;
        // Connections of the server may be left; a listener would still be in the way.
        socket.set_reuseaddr(true).ok()?;
        if socket.bind(address).is_ok() {
            return Some(socket);
        }
        tokio::time::sleep(CLOSE_STEP).await;
    }
    None
}

fn stop(agents: &mut HashMap<usize, AbortHandle>, machine: usize) {
    if let Some(agent) = agents.remove(&machine) {
        agent.abort();
    }
}

/// Listens for a machine until the task is aborted.
async fn listen(
    world: Arc<World>,
    machine: usize,
    delay: Duration,
    listening: oneshot::Sender<()>,
) {
    tokio::time::sleep(delay).await;
    let Some(target) = world.agents.machine_address(machine) else {
        return;
    };
    let connection = world.relay.connection_of(machine);
    let _agent = loop {
        let agent = ArcAgent::start(ArcAgentOptions {
            endpoint: world.addresses.relay(),
            hybrid_connection: connection.to_owned(),
            listen_token: world.relay.token(
                Right::Listen,
                connection,
                unix_now() + LISTEN_TOKEN_SECONDS,
            ),
            ca_pem: world.ca_pem.clone(),
            target,
            allowed_ports: vec![allowed_port(&world, machine)],
            read_limit: world.options.agent_read_limit,
        });
        match agent.await {
            Ok(agent) => break agent,
            Err(_) => tokio::time::sleep(RETRY_DELAY).await,
        }
    };
    let _: Result<(), ()> = listening.send(());
    std::future::pending::<()>().await;
}

fn allowed_port(world: &World, machine: usize) -> u16 {
    let id = world.options.machines[machine].resource_id();
    crate::arm::configured_port(world, &id).unwrap_or(DEFAULT_PORT)
}
