use clap::Args;

use super::connector;
use super::context::Context;
use super::route_args::RouteArgs;
use super::ui::Ui;
use super::wrong_login_name;
use crate::connect::Destination;
use crate::failure::Failure;
use crate::host::tls;
use crate::ids::{Principal, ResourceId, Route, SSH_PORT, Tenancy, TenantId};
use crate::relay::Capacity;

/// Carry one connection to a machine; ssh runs this as `ProxyCommand`
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  ssh -o ProxyCommand='entra-ssh proxy --port %p ID' alice@contoso.com@web01\n  \
    ssh -o ProxyUseFDPass=yes -o ProxyCommand='entra-ssh proxy ID' bob@vm01\n\n\
    ID is a resource ID: /subscriptions/…/machines/web01. A connection to an\naddress, such as a VM's, needs ProxyUseFDPass."
)]
pub(super) struct ProxyArgs {
    /// The machine's resource ID
    #[arg(required_unless_present = "ip")]
    machine: Option<ResourceId>,
    /// Tenant of the machine's subscription [default: looked up]
    #[arg(long, value_name = "ID")]
    tenant: Option<TenantId>,
    /// Skip the certificate; ssh authenticates with its own keys
    #[arg(long)]
    no_certificate: bool,
    /// Warn if the certificate is not for NAME, the login name that ssh uses
    #[arg(
        long,
        value_name = "NAME",
        allow_hyphen_values = true,
        conflicts_with = "no_certificate"
    )]
    login_name: Option<Principal>,
    #[command(flatten)]
    route: RouteArgs,
}

pub(super) async fn run(ui: Ui, context: &Context, args: ProxyArgs) -> Result<u8, Failure> {
    args.route.check(args.machine.as_ref())?;
    let route = Route::to(args.machine.as_ref(), args.route.ip.as_ref());
    if route == Route::Relay {
        tls::make_key_share();
    }
    // Done long before ssh queries the agent through the link.
    context.hosts().link_agent();
    // The agent knows the profile by its name, and a pipeline's may have to be made first.
    let profile = context.load_profile().await?.name;
    let tenancy = Tenancy::of(args.tenant.as_ref(), args.machine.as_ref());
    let certificate = async {
        if args.no_certificate {
            return Ok(());
        }
        let answer = context.certificate_for_login(&profile, &tenancy).await?;
        wrong_login_name::warn(context, args.login_name.as_ref(), &answer.login_name);
        Ok(())
    };
    let destination = Destination {
        machine: args.machine,
        address: args.route.ip,
        port: args.route.port.unwrap_or(SSH_PORT),
        prefer_private_ip: args.route.prefer_private_ip,
        profile: profile.clone(),
        tenancy: tenancy.clone(),
    };
    let connector = connector::open(&ui, context, destination, Capacity::ALONE).await?;
    let connect = async { connector.connect().await.map_err(Failure::from) };
    let (connected, ()) = tokio::try_join!(connect, certificate)?;
    connected.serve_parent().await?;
    Ok(0)
}
