use std::cell::Cell;

use clap::Args;
use tokio::net::TcpStream;

use super::context::Context;
use super::host_options;
use super::ui::Ui;
use super::way::{Direct, Relayed};
use super::wrong_login_name;
use crate::direct::{self, DirectError};
use crate::failure::{Failure, FailureKind};
use crate::host::standard_streams::{Input, Output};
use crate::host::{descriptor_passing, tls};
use crate::ids::{Address, Principal, ResourceId, Route, SSH_PORT, Tenancy, TenantId};
use crate::relay::Capacity;

/// Carry one connection to a machine: what ssh runs as `ProxyCommand`
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  ssh -o ProxyCommand='entra-ssh proxy --port %p ID' alice@contoso.com@web01\n  \
    ssh -o ProxyUseFDPass=yes -o ProxyCommand='entra-ssh proxy ID' bob@vm01\n\n\
    ID is a resource ID: /subscriptions/…/machines/web01. A connection to an\naddress, as to VMs, needs ProxyUseFDPass."
)]
pub(super) struct ProxyArgs {
    /// The machine's resource ID
    #[arg(required_unless_present = "ip")]
    machine: Option<ResourceId>,
    /// The tenant of the machine's subscription; without it, it is looked up
    #[arg(long, value_name = "ID")]
    tenant: Option<TenantId>,
    /// The port of sshd on the machine
    #[arg(long, default_value_t = SSH_PORT, value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
    /// Do not see to a certificate: ssh uses keys of its own
    #[arg(long)]
    no_certificate: bool,
    /// Say so if the certificate is for another login name than this one, which ssh has
    #[arg(
        long,
        value_name = "NAME",
        allow_hyphen_values = true,
        conflicts_with = "no_certificate"
    )]
    login_name: Option<Principal>,
    /// Connect to this address, without asking Azure for one
    #[arg(long, value_name = "ADDRESS", conflicts_with = "prefer_private_ip")]
    ip: Option<Address>,
    /// Connect to a VM's private address, even if it has a public one
    #[arg(long)]
    prefer_private_ip: bool,
}

impl ProxyArgs {
    fn is_direct(&self) -> bool {
        Route::to(self.machine.as_ref(), self.ip.as_ref()) == Route::Direct
    }

    fn machine(&self) -> Result<&ResourceId, Failure> {
        let machine = self.machine.as_ref();
        machine.ok_or_else(|| Failure::new("no machine is named").kind(FailureKind::Usage))
    }
}

pub(super) async fn run(ui: Ui, context: &Context, args: ProxyArgs) -> Result<u8, Failure> {
    host_options::check_private_ip(args.prefer_private_ip, args.machine.as_ref())?;
    if !args.is_direct() {
        tls::make_key_share();
    }
    // ssh asks by the link when this has long been done.
    context.hosts().link_agent();
    // The agent knows the profile by its name, and a pipeline's may have to be made first.
    let profile = context.load_profile().await?;
    let tenancy = Tenancy::of(args.tenant.as_ref(), args.machine.as_ref());
    let certificate = async {
        if args.no_certificate {
            return Ok(());
        }
        let answer = context.certificate_for_login(&profile.name, &tenancy);
        let certified = answer.await?.login_name;
        wrong_login_name::warn(context, args.login_name.as_ref(), &certified);
        Ok(())
    };
    if args.is_direct() {
        let way = Direct {
            progress: &ui,
            context,
            profile: profile.name.clone(),
            tenancy: tenancy.clone(),
            machine: args.machine,
            address: args.ip,
            prefer_private_ip: args.prefer_private_ip,
            port: args.port,
            is_private_said: Cell::new(false),
        };
        let (stream, ()) = tokio::try_join!(way.connect(), certificate)?;
        give(&way.name(), stream).await?;
        return Ok(0);
    }
    let cloud = profile.cloud.open()?;
    let way = Relayed {
        progress: &ui,
        context,
        profile: profile.name.clone(),
        tls: tls::for_cloud(&cloud, &context.host.env)?,
        tenancy: tenancy.clone(),
        machine: args.machine()?.clone(),
        port: args.port,
        capacity: Capacity::ALONE,
    };
    let (connected, ()) = tokio::try_join!(way.connect(), certificate)?;
    connected.carry_standard_streams().await?;
    Ok(0)
}

/// Gives the connection to ssh if it waits for one, or else carries its bytes.
async fn give(name: &str, stream: TcpStream) -> Result<(), Failure> {
    if !descriptor_passing::is_awaited() {
        direct::carry(name, stream, Input::open(), Output::open()).await?;
        return Ok(());
    }
    descriptor_passing::pass(stream).map_err(|source| {
        DirectError::NotTaken {
            machine: name.to_owned(),
            source,
        }
        .into()
    })
}
