use clap::Args;

use super::context::Context;
use super::ui::Ui;
use super::way::Way;
use crate::agent::ask::Tenancy;
use crate::failure::Failure;
use crate::host::standard_streams::{Input, Output};
use crate::host::tls;
use crate::ids::{ResourceId, TenantId};
use crate::relay::Capacity;

/// Carry one connection to a machine: what ssh runs as `ProxyCommand`
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  ssh -o ProxyCommand='entra-ssh proxy --port %p /subscriptions/…/machines/web01' alice@contoso.com@web01"
)]
pub(super) struct ProxyArgs {
    /// The machine's resource ID
    machine: ResourceId,
    /// The tenant of the machine's subscription; without it, it is looked up
    #[arg(long, value_name = "ID")]
    tenant: Option<TenantId>,
    /// The port of sshd on the machine
    #[arg(long, default_value_t = 22)]
    port: u16,
    /// Do not see to a certificate: ssh uses keys of its own
    #[arg(long)]
    no_certificate: bool,
}

impl ProxyArgs {
    fn tenancy(&self) -> Tenancy {
        match &self.tenant {
            Some(tenant) => Tenancy::Tenant(tenant.clone()),
            None => Tenancy::OfSubscription(self.machine.subscription().clone()),
        }
    }
}

pub(super) async fn run(ui: Ui, context: &Context, args: ProxyArgs) -> Result<u8, Failure> {
    tls::make_key_share();
    // The agent knows the profile by its name, and a pipeline's may have to be made first.
    let profile = context.load_profile().await?;
    let tenancy = args.tenancy();
    let certificate = async {
        if args.no_certificate {
            return Ok(());
        }
        context.certificate(&profile.name, &tenancy).await.map(drop)
    };
    let cloud = profile.cloud.open()?;
    let way = Way {
        ui,
        context,
        profile: profile.name.clone(),
        tls: tls::client_config(cloud.ca_file.as_deref())?,
        tenancy: tenancy.clone(),
        machine: args.machine,
        port: args.port,
        capacity: Capacity::ALONE,
    };
    let (connected, ()) = tokio::try_join!(way.connect(), certificate)?;
    connected.carry(Input::open(), Output::open()).await?;
    Ok(0)
}
