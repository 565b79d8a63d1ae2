//! Bringing everything up on a runtime of its own, and down again.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::runtime;
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

use super::{Error, START_TIME};
use crate::agents::{self, Agents};
use crate::arm::{self, ArmState};
use crate::control;
use crate::entra::{self, EntraState};
use crate::fault::Faults;
use crate::front;
use crate::http;
use crate::journal::{Journal, Service};
use crate::keys::SigningKey;
use crate::machine::{Machine, MachineOptions};
use crate::options::{Connectivity, MachineSpec, Options, ResourceKind};
use crate::relay::{self, Relay};
use crate::tls::{self, Tls};
use crate::workload;
use crate::world::{Addresses, World};

/// How long what runs gets to stop.
const STOP_TIME: Duration = Duration::from_secs(2);

/// Runs a sandbox on this thread until it is told to stop.
pub(super) fn run(
    options: Options,
    folder: &Path,
    started: &mpsc::Sender<Result<Arc<World>, Error>>,
    stopped: oneshot::Receiver<()>,
) {
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("entra-ssh-sandbox")
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            // Whoever asked for a start waits for this.
            let _: Result<(), _> = started.send(Err(error.into()));
            return;
        }
    };
    let outcome = runtime.block_on(start(options, folder));
    let running = outcome.is_ok();
    if started.send(outcome).is_ok() && running {
        // A sender that was dropped says the same.
        let _: Result<(), _> = runtime.block_on(stopped);
    }
    runtime.shutdown_timeout(STOP_TIME);
}

/// Starts everything on the current runtime.
async fn start(options: Options, folder: &Path) -> Result<Arc<World>, Error> {
    let signing_key = tokio::task::spawn_blocking(SigningKey::shared)
        .await
        .map_err(io::Error::other)?;
    let tls = Tls::new(tls::AUTHORITY).map_err(Error::Tls)?;
    let inspection = Tls::new(tls::INSPECTION_AUTHORITY).map_err(Error::Tls)?;
    let cloud = TcpListener::bind(("127.0.0.1", 0)).await?;
    let relay = TcpListener::bind(("127.0.0.1", 0)).await?;
    let control = TcpListener::bind(("127.0.0.1", 0)).await?;
    let plain = TcpListener::bind(("127.0.0.1", 0)).await?;
    let inspected = TcpListener::bind(("127.0.0.1", 0)).await?;
    let addresses = Addresses {
        cloud: format!("https://localhost:{}", cloud.local_addr()?.port()),
        control: format!("https://localhost:{}", control.local_addr()?.port()),
        inspected: format!("https://localhost:{}", inspected.local_addr()?.port()),
        plain_port: plain.local_addr()?.port(),
        relay_port: relay.local_addr()?.port(),
    };
    let machines = start_machines(&options, signing_key, folder).await?;
    let (agents, commands) = Agents::new(&machines);
    let world = Arc::new(World {
        folder: folder.to_owned(),
        workload_secrets: workload::Secrets::new(),
        ca_pem: tls.ca_pem,
        signing_key,
        faults: Faults::default(),
        journal: Journal::default(),
        entra: Mutex::new(EntraState::default()),
        arm: Mutex::new(ArmState::new(&options)),
        relay: Relay::new(&options, addresses.relay_port),
        agents,
        addresses,
        options,
    });
    serve_cloud(&world, cloud, &tls.acceptor).await?;
    serve_cloud(&world, inspected, &inspection.acceptor).await?;
    serve_control(&world, control, &tls.acceptor);
    serve_plain(&world, plain).await?;
    tokio::spawn(relay::serve(Arc::clone(&world), relay, tls.acceptor));
    tokio::spawn(agents::run(Arc::clone(&world), machines, commands));
    start_agents(&world).await?;
    world.journal.clear();
    Ok(world)
}

/// Serves Entra and ARM, on both loopback addresses where that is possible: `localhost` is either.
async fn serve_cloud(
    world: &Arc<World>,
    listener: TcpListener,
    tls: &TlsAcceptor,
) -> io::Result<()> {
    let port = listener.local_addr()?.port();
    let second = TcpListener::bind(("::1", port)).await.ok();
    for listener in [Some(listener), second].into_iter().flatten() {
        let world = Arc::clone(world);
        let handler = move |request: http::Request| {
            let world = Arc::clone(&world);
            async move { answer_cloud(&world, &request) }
        };
        tokio::spawn(http::serve(listener, tls.clone(), handler));
    }
    Ok(())
}

fn answer_cloud(world: &World, request: &http::Request) -> Result<http::Reply, http::NoAnswer> {
    let service = if arm::owns(request) {
        Service::Arm
    } else if workload::owns(request) {
        Service::Workload
    } else {
        Service::Entra
    };
    let reply = match (front::intercept(world, request), service) {
        (Some(reply), _) => Ok(reply),
        (None, Service::Arm) => Ok(arm::answer(world, request)),
        (None, Service::Workload) => Ok(workload::answer(world, request)),
        (None, _) => entra::answer(world, request),
    };
    record(world, service, request, reply.as_ref().ok());
    reply.map(|reply| front::date(world, reply))
}

fn record(world: &World, service: Service, request: &http::Request, reply: Option<&http::Reply>) {
    world.journal.record(
        service,
        request.method.as_str(),
        &request.path,
        &request.query,
        &request.form(),
        reply.map_or(0, |reply| reply.status),
    );
}

/// Serves the endpoints of managed identities, on both loopback addresses where that is possible.
async fn serve_plain(world: &Arc<World>, listener: TcpListener) -> io::Result<()> {
    let port = listener.local_addr()?.port();
    let second = TcpListener::bind(("::1", port)).await.ok();
    for listener in [Some(listener), second].into_iter().flatten() {
        let world = Arc::clone(world);
        let handler = move |request: http::Request| {
            let world = Arc::clone(&world);
            async move {
                let reply = front::intercept(&world, &request)
                    .unwrap_or_else(|| workload::answer_plain(&world, &request));
                record(&world, Service::Workload, &request, Some(&reply));
                Ok(reply)
            }
        };
        tokio::spawn(http::serve_plain(listener, handler));
    }
    Ok(())
}

fn serve_control(world: &Arc<World>, listener: TcpListener, tls: &TlsAcceptor) {
    let world = Arc::clone(world);
    let handler = move |request: http::Request| {
        let world = Arc::clone(&world);
        async move { Ok(control::answer(&world, &request)) }
    };
    tokio::spawn(http::serve(listener, tls.clone(), handler));
}

/// Starts what answers on the SSH ports of all machines that can be reached.
async fn start_machines(
    options: &Options,
    signing_key: &SigningKey,
    folder: &Path,
) -> Result<Vec<Option<Machine>>, Error> {
    let user_ca = signing_key.authorized_keys_line();
    let mut machines = Vec::new();
    for (index, machine) in options.machines.iter().enumerate() {
        if machine.connectivity == Connectivity::NobodyListens {
            machines.push(None);
            continue;
        }
        let folder = folder.join(format!("machine-{index}"));
        fs::create_dir(&folder)?;
        let machine = Machine::start(MachineOptions {
            kind: options.machine_kind,
            user_ca: user_ca.clone(),
            principals: logins(options, machine),
            folder,
        });
        machines.push(Some(machine.await?));
    }
    Ok(machines)
}

/// Returns who may log in to a machine: a login name for every principal, in lower case.
fn logins(options: &Options, machine: &MachineSpec) -> Vec<(String, Vec<String>)> {
    let Some(tenant) = options
        .tenants
        .iter()
        .find(|tenant| tenant.subscription_id == machine.subscription_id)
    else {
        return Vec::new();
    };
    let users = options
        .users
        .iter()
        .filter(|user| user.role.may_log_in())
        .filter_map(|user| user.membership(&tenant.id))
        .map(|membership| membership.upn.clone());
    let principals = options
        .service_principals
        .iter()
        .filter(|principal| principal.tenant == tenant.id && principal.role.may_log_in())
        .map(|principal| principal.client_id.clone());
    users
        .chain(principals)
        .map(|principal| (principal.to_lowercase(), vec![principal]))
        .collect()
}

/// Lets the agents of all machines that are ready listen.
async fn start_agents(world: &World) -> io::Result<()> {
    let ready = world
        .options
        .machines
        .iter()
        .enumerate()
        .filter(|(_, machine)| {
            machine.connectivity == Connectivity::Ready && machine.kind != ResourceKind::Vm
        });
    let listening: Vec<_> = ready
        .map(|(index, _)| world.agents.restart(index, Duration::ZERO))
        .collect();
    for listening in listening {
        tokio::time::timeout(START_TIME, listening)
            .await?
            .map_err(io::Error::other)?;
    }
    Ok(())
}
