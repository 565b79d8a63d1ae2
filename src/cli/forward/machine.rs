use std::cell::Cell;

use tokio::net::TcpStream;

use super::super::config::account::{self, Found};
use super::super::config::add;
use super::super::context::Context;
use super::super::ssh::managed_block;
use super::super::ui::Ui;
use super::super::way::{Direct, Relayed};
use super::ForwardArgs;
use crate::agent::ask::Tenancy;
use crate::direct;
use crate::failure::Failure;
use crate::host::{liveness, tls};
use crate::ids::{Address, ProfileName, ResourceId};
use crate::relay::Capacity;
use crate::ssh_config::Identity;
use crate::target::Target;

/// A machine and how it is reached.
#[derive(Clone)]
pub(super) struct Machine {
    /// None if only its address is known.
    pub(super) id: Option<ResourceId>,
    pub(super) profile: ProfileName,
    pub(super) tenancy: Tenancy,
    /// The port on it.
    pub(super) port: u16,
    /// The address that was named for it.
    address: Option<Address>,
    prefer_private_ip: bool,
    /// Whether our agent is to serve a certificate for it.
    pub(super) is_certified: bool,
}

/// How the machine is connected to.
pub(super) enum Way<'a> {
    Direct(Direct<'a>),
    Relayed(Relayed<'a>),
}

impl<'a> Way<'a> {
    /// Decides how a machine is connected to: at its address if it has one, or one was named for it.
    pub(super) fn to(ui: Ui, context: &'a Context, machine: &Machine) -> Result<Self, Failure> {
        let Machine {
            id,
            profile,
            tenancy,
            port,
            address,
            prefer_private_ip,
            is_certified: _,
        } = machine.clone();
        match (id, address) {
            (Some(machine), None) if machine.kind().is_relayed() => {
                let cloud = context.profiles().load(&profile)?.cloud.open()?;
                Ok(Self::Relayed(Relayed {
                    ui,
                    context,
                    profile,
                    tls: tls::client_config(cloud.ca_file.as_deref())?,
                    tenancy,
                    machine,
                    port,
                    capacity: Capacity::AMONG_MANY,
                }))
            }
            (machine, address) => Ok(Self::Direct(Direct {
                ui,
                context,
                profile,
                tenancy,
                machine,
                address,
                prefer_private_ip,
                port,
                is_private_said: Cell::new(false),
            })),
        }
    }

    /// Sees to what a connection needs, so that what stands in its way is told at once.
    pub(super) async fn prepare(&self) -> Result<(), Failure> {
        match self {
            Self::Direct(way) => way.prepare().await,
            Self::Relayed(way) => way.prepare().await,
        }
    }

    /// Carries one client's connection to its end.
    pub(super) async fn carry(&self, client: TcpStream) -> Result<(), Failure> {
        liveness::set(&client)
            .map_err(|error| Failure::new("a connection was lost").caused_by(&error))?;
        match self {
            Self::Direct(way) => {
                let stream = way.connect().await?;
                let (input, output) = client.into_split();
                direct::carry(&way.name(), stream, input, output).await?;
                Ok(())
            }
            Self::Relayed(way) => {
                let connected = way.connect().await?;
                let (input, output) = client.into_split();
                connected.carry(input, output).await
            }
        }
    }

    pub(super) fn name(&self) -> String {
        match self {
            Self::Direct(way) => way.name(),
            Self::Relayed(way) => way.machine.name().to_string(),
        }
    }
}

/// Finds the machine: a managed host, or one that is looked up, as the options have it.
pub(super) async fn find(
    ui: Ui,
    context: &Context,
    args: &ForwardArgs,
) -> Result<Machine, Failure> {
    let managed = match (&args.target, &args.resource_group) {
        (Some(target), None) => managed_block(context, target)?,
        _ => None,
    };
    let machine = if let Some(block) = managed {
        Machine {
            tenancy: add::tenancy(&block),
            id: block.resource_id,
            profile: block.profile,
            port: block.port,
            address: block.address,
            prefer_private_ip: block.prefer_private_ip,
            is_certified: block.identity == Identity::Agent,
        }
    } else {
        let target = match (&args.target, &args.ip) {
            (None, Some(address)) => Target::Address(address.clone()),
            (text, _) => text.as_deref().unwrap_or_default().parse()?,
        };
        let Found {
            machine: id,
            profile,
            tenant,
        } = account::find(ui, context, &target, args.resource_group.as_ref()).await?;
        Machine {
            tenancy: add::tenancy_of(tenant.as_ref(), id.as_ref()),
            id,
            profile,
            port: add::DEFAULT_PORT,
            address: match target {
                Target::Address(address) => Some(address),
                _ => None,
            },
            prefer_private_ip: false,
            is_certified: true,
        }
    };
    Ok(Machine {
        port: args.port.unwrap_or(machine.port),
        address: args
            .ip
            .clone()
            .or(machine.address)
            .filter(|_| !args.prefer_private_ip),
        prefer_private_ip: machine.prefer_private_ip || args.prefer_private_ip,
        ..machine
    })
}
