//! A local port that leads to a machine, for whatever knows no `ProxyCommand`.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

use super::config::account::{self, Found};
use super::config::add;
use super::context::Context;
use super::ssh::managed_block;
use super::ui::Ui;
use super::way::Way;
use super::why;
use crate::agent::ask::Tenancy;
use crate::failure::{Failure, FailureKind};
use crate::host::interrupts::Interrupts;
use crate::host::{liveness, tls};
use crate::ids::{ProfileName, ResourceGroup, ResourceId};
use crate::relay::Capacity;
use crate::target::Target;

/// How many connections are open at once; the next one waits until another ends.
const MAX_CONNECTIONS: usize = 256;
/// How long what is open may go on once this was asked to stop.
const STOP_LIMIT: Duration = Duration::from_secs(10);
/// How long is waited when the system cannot take a connection, for want of descriptors, say.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Open a local port that leads to a machine, for clients without `ProxyCommand`
///
/// Each connection to the port is one to the machine, with credentials that are valid when it is opened, so that this can
/// stay for days. It stops on Ctrl-C: what is open may end within ten seconds, or is cut by a second Ctrl-C.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  entra-ssh forward web01 --bind 127.0.0.1:2222\n  \
    ssh -p 2222 -o HostKeyAlias=web01 alice@contoso.com@127.0.0.1\n\n\
    A SOCKS proxy and Remote Desktop need ssh alone, and a login that may forward ports (--local-user):\n  \
    ssh -N -D 1080 web01\n  ssh -N -L 13389:localhost:3389 win01"
)]
pub(super) struct ForwardArgs {
    /// The machine: a managed host, a name, group/name, or a resource ID
    target: String,
    /// Listen at this address and port; without it, at a free port of 127.0.0.1. A port alone is one of 127.0.0.1
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    bind: Bind,
    /// The machine's resource group
    #[arg(short = 'g', long)]
    resource_group: Option<ResourceGroup>,
    /// The port on the machine; without it, that of the managed host, or 22
    #[arg(long)]
    port: Option<u16>,
}

/// Where to listen.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Bind(SocketAddr);

impl FromStr for Bind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let loopback = |port| Self((Ipv4Addr::LOCALHOST, port).into());
        if let Ok(port) = text.strip_prefix("localhost:").unwrap_or(text).parse() {
            return Ok(loopback(port));
        }
        text.parse()
            .map(Self)
            .map_err(|_| "there must be an address and a port, as in 127.0.0.1:2222".to_owned())
    }
}

pub(super) async fn run(ui: Ui, context: &Context, args: ForwardArgs) -> Result<(), Failure> {
    let (way, listener) = open(ui, context, &args).await?;
    let mut interrupts = Interrupts::open()
        .map_err(|error| Failure::new("cannot wait for signals").caused_by(&error))?;
    let bound = listener.local_addr().unwrap_or(args.bind.0);
    let row = json!({"bind": bound, "resource_id": way.machine, "port": way.port});
    let text = format!(
        "{bound} leads to port {} of {}; Ctrl-C ends it\n",
        way.port,
        way.machine.name()
    );
    ui.result(&row, &text);
    let mut open = FuturesUnordered::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if open.len() < MAX_CONNECTIONS => match accepted {
                Ok((client, _)) => open.push(carry(ui, &way, client)),
                Err(error) => {
                    ui.fail(&Failure::new("cannot take a connection").caused_by(&error));
                    sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(()) = open.next() => {}
            () = interrupts.next() => break,
        }
    }
    drop(listener);
    if !open.is_empty() {
        ui.say(&format!(
            "waiting up to {} s for {} open connections; Ctrl-C cuts them",
            STOP_LIMIT.as_secs(),
            open.len()
        ));
    }
    tokio::select! {
        () = async { while open.next().await.is_some() {} } => {}
        () = interrupts.next() => {}
        () = sleep(STOP_LIMIT) => {}
    }
    Ok(())
}

/// Finds the machine, sees to credentials, and opens the port.
async fn open<'a>(
    ui: Ui,
    context: &'a Context,
    args: &ForwardArgs,
) -> Result<(Way<'a>, TcpListener), Failure> {
    let machine = find(ui, context, args).await?;
    let profile = context.profiles().load(&machine.profile)?;
    let cloud = profile.cloud.open()?;
    let way = Way {
        ui,
        context,
        profile: machine.profile,
        tls: tls::client_config(cloud.ca_file.as_deref())?,
        tenancy: machine.tenancy,
        machine: machine.id,
        port: machine.port,
        capacity: Capacity::AMONG_MANY,
    };
    way.prepare().await?;
    let listener = TcpListener::bind(args.bind.0)
        .await
        .map_err(|error| bind_failure(args.bind.0, &error))?;
    Ok((way, listener))
}

/// A machine and how it is reached.
struct Machine {
    id: ResourceId,
    profile: ProfileName,
    tenancy: Tenancy,
    port: u16,
}

async fn find(ui: Ui, context: &Context, args: &ForwardArgs) -> Result<Machine, Failure> {
    let managed = match &args.resource_group {
        None => managed_block(context, &args.target)?,
        Some(_) => None,
    };
    let (id, profile, tenancy, port) = if let Some(block) = managed {
        let tenancy = add::tenancy(&block);
        (block.resource_id, block.profile, tenancy, block.port)
    } else {
        let target: Target = args.target.parse()?;
        let Found {
            machine,
            profile,
            tenant,
        } = account::find(ui, context, &target, args.resource_group.as_ref()).await?;
        let tenancy = add::tenancy_of(tenant.as_ref(), machine.as_ref());
        (machine, profile, tenancy, add::DEFAULT_PORT)
    };
    match id.filter(|id| id.kind().is_relayed()) {
        Some(id) => Ok(Machine {
            id,
            profile,
            tenancy,
            port: args.port.unwrap_or(port),
        }),
        None => Err(Failure::new(format!(
            "`{}` has an address of its own, and is not reached through the relay",
            args.target
        ))
        .hint(format!(
            "let ssh forward a port: ssh -N -L 2222:localhost:22 {}",
            args.target
        ))),
    }
}

/// Carries one client's connection to its end. That it fails is told, and ends nothing else.
async fn carry(ui: Ui, way: &Way<'_>, client: TcpStream) {
    let carried = async {
        liveness::set(&client)
            .map_err(|error| Failure::new("a connection was lost").caused_by(&error))?;
        let connected = way.connect().await?;
        let (input, output) = client.into_split();
        connected.carry(input, output).await
    };
    if let Err(failure) = carried.await {
        ui.fail(&failure);
        why::record(&way.context.host, &failure);
    }
}

fn bind_failure(address: SocketAddr, error: &io::Error) -> Failure {
    let failure = Failure::new(format!("cannot listen at {address}")).caused_by(error);
    match error.kind() {
        io::ErrorKind::AddrInUse => failure
            .kind(FailureKind::Usage)
            .hint("another program has this port; without --bind, a free one is taken"),
        io::ErrorKind::PermissionDenied => failure
            .kind(FailureKind::Usage)
            .hint("ports below 1024 are root's; take another one: --bind 127.0.0.1:2222"),
        io::ErrorKind::AddrNotAvailable => failure
            .kind(FailureKind::Usage)
            .hint("this machine has no such address: --bind 127.0.0.1:2222"),
        _ => failure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_alone_is_one_of_this_machine_alone() {
        let bind = |text: &str| {
            text.parse::<Bind>()
                .map(|Bind(address)| address.to_string())
        };
        assert_eq!(bind("2222").unwrap(), "127.0.0.1:2222");
        assert_eq!(bind("localhost:2222").unwrap(), "127.0.0.1:2222");
        assert_eq!(bind("0.0.0.0:2222").unwrap(), "0.0.0.0:2222");
        assert_eq!(bind("[::1]:2222").unwrap(), "[::1]:2222");
        for text in ["", "web01:2222", "127.0.0.1", "70000", ":2222"] {
            assert!(bind(text).is_err(), "{text}");
        }
    }
}
