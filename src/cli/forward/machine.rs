use std::cell::Cell;

use tokio::net::TcpStream;

use super::super::config::account::{self, Found};
use super::super::context::Context;
use super::super::host_options;
use super::super::ssh::managed_block;
use super::super::ui::Ui;
use super::super::way::{self, Direct, Relayed};
use super::ForwardArgs;
use crate::direct;
use crate::failure::Failure;
use crate::host::tls;
use crate::ids::{Address, ProfileName, ResourceId, Route, SSH_PORT, Tenancy};
use crate::inventory::target::Target;
use crate::progress::Progress;
use crate::relay::Capacity;
use crate::ssh_config::Identity;

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
    pub(super) address: Option<Address>,
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
    pub(super) async fn to(
        progress: &'a dyn Progress,
        context: &'a Context,
        machine: &Machine,
    ) -> Result<Self, Failure> {
        let Machine {
            id,
            profile,
            tenancy,
            port,
            address,
            prefer_private_ip,
            is_certified: _,
        } = machine.clone();
        match (Route::to(id.as_ref(), address.as_ref()), id) {
            (Route::Relay, Some(machine)) => {
                let cloud = context.profile_of(&profile).await?.cloud.open()?;
                Ok(Self::Relayed(Relayed {
                    progress,
                    context,
                    profile,
                    tls: tls::for_cloud(&cloud, &context.host.env)?,
                    tenancy,
                    machine,
                    port,
                    capacity: Capacity::AMONG_MANY,
                }))
            }
            (_, machine) => Ok(Self::Direct(Direct {
                progress,
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

    /// Opens a connection.
    pub(super) async fn connect(&self) -> Result<Connected<'_>, Failure> {
        Ok(match self {
            Self::Direct(way) => Connected::Direct(way.name(), way.connect().await?),
            Self::Relayed(way) => Connected::Relayed(Box::new(way.connect().await?)),
        })
    }

    pub(super) fn name(&self) -> String {
        match self {
            Self::Direct(way) => way.name(),
            Self::Relayed(way) => way.machine.name().to_string(),
        }
    }
}

/// An open connection to the machine.
pub(super) enum Connected<'a> {
    /// What people call the machine, and the connection.
    Direct(String, TcpStream),
    Relayed(Box<way::Connected<'a>>),
}

impl Connected<'_> {
    /// Carries a client's bytes both ways until one side ends.
    pub(super) async fn carry(self, client: TcpStream) -> Result<(), Failure> {
        let (input, output) = client.into_split();
        match self {
            Self::Direct(name, stream) => Ok(direct::carry(&name, stream, input, output).await?),
            Self::Relayed(connected) => connected.carry(input, output).await,
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
            tenancy: host_options::tenancy(&block),
            id: block.resource_id,
            profile: block.profile,
            port: block.port,
            address: block.address,
            prefer_private_ip: block.prefer_private_ip,
            is_certified: block.identity == Identity::Agent && !args.no_certificate,
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
            tenancy: Tenancy::of(tenant.as_ref(), id.as_ref()),
            id,
            profile,
            port: SSH_PORT,
            address: match target {
                Target::Address(address) => Some(address),
                _ => None,
            },
            prefer_private_ip: false,
            is_certified: !args.no_certificate,
        }
    };
    host_options::check_private_ip(args.prefer_private_ip, machine.id.as_ref())?;
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
