use super::super::context::Context;
use super::super::find_machine;
use super::super::ui::Ui;
use super::ForwardArgs;
use crate::connect::Destination;
use crate::failure::Failure;
use crate::ids::{SSH_PORT, Tenancy};
use crate::inventory::Found;
use crate::ssh_config::Identity;

/// The machine behind the port.
pub(super) struct Machine {
    pub(super) destination: Destination,
    /// Whether our agent serves a certificate for it.
    pub(super) is_certified: bool,
}

/// Finds the machine: a managed host if there is one, else in Azure. Options override what the managed host says.
pub(super) async fn find(
    ui: Ui,
    context: &Context,
    args: &ForwardArgs,
) -> Result<Machine, Failure> {
    let Machine {
        destination,
        is_certified,
    } = match managed(context, args)? {
        Some(machine) => machine,
        None => looked_up(ui, context, args).await?,
    };
    let route = &args.route;
    route.check(destination.machine.as_ref())?;
    let named = route.ip.clone().or(destination.address);
    Ok(Machine {
        destination: Destination {
            port: route.port.unwrap_or(destination.port),
            address: named.filter(|_| !route.prefer_private_ip),
            prefer_private_ip: destination.prefer_private_ip || route.prefer_private_ip,
            ..destination
        },
        is_certified: is_certified && !args.no_certificate,
    })
}

fn managed(context: &Context, args: &ForwardArgs) -> Result<Option<Machine>, Failure> {
    let block = match (&args.target, &args.resource_group) {
        (Some(target), None) => find_machine::managed(context, target)?,
        _ => None,
    };
    Ok(block.map(|block| Machine {
        is_certified: block.identity == Identity::Agent,
        destination: Destination {
            tenancy: block.tenancy(),
            machine: block.resource_id,
            address: block.address,
            port: block.port,
            prefer_private_ip: block.prefer_private_ip,
            profile: block.profile,
        },
    }))
}

async fn looked_up(ui: Ui, context: &Context, args: &ForwardArgs) -> Result<Machine, Failure> {
    let target = match (&args.target, args.route.target()) {
        (None, Some(address)) => address,
        (text, _) => text.as_deref().unwrap_or_default().parse()?,
    };
    let Found {
        machine,
        profile,
        tenant,
    } = find_machine::find(ui, context, &target, args.resource_group.as_ref()).await?;
    Ok(Machine {
        is_certified: true,
        destination: Destination {
            tenancy: Tenancy::of(tenant.as_ref(), machine.as_ref()),
            machine,
            address: args.route.address(&target),
            port: SSH_PORT,
            prefer_private_ip: false,
            profile,
        },
    })
}
