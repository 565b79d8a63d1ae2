//! The options of `config add` and `ssh`, which say how a machine is logged in to, and the host that they make.

use std::io;
use std::path::PathBuf;

use clap::Args;

use super::find_machine;
use super::identity;
use super::login_names::LoginNames;
use super::path_arg::{self, absolute};
use super::route_args::RouteArgs;
use crate::certificate::RenewWhen;
use crate::failure::{Failure, file_failure};
use crate::ids::{HostAlias, Principal, ResourceGroup, Route, SSH_PORT, Tenancy};
use crate::inventory::{Found, Target};
use crate::ssh_config::{Block, Identity};

/// How a machine is logged in to.
#[derive(Args, Clone, Debug)]
pub(super) struct HostOptions {
    /// Log in as this local account of the machine, with your own key instead of a certificate
    #[arg(long, value_name = "NAME")]
    local_user: Option<Principal>,
    /// Private key for --local-user [default: the keys that ssh tries]
    #[arg(long, value_name = "FILE", requires = "local_user", value_parser = path_arg::parser())]
    private_key_file: Option<PathBuf>,
    /// Keep key and certificate in the agent of entra-ssh (agent), in your own agent at `SSH_AUTH_SOCK` (system-agent), or in files
    /// (file)
    #[arg(long, value_name = "WHERE", default_value = "agent", conflicts_with = "local_user", value_parser = parse_identity)]
    identity: Identity,
    /// Use your own key and keep a certificate for it; the private key may be in hardware or in your own agent
    #[arg(long, value_name = "FILE", conflicts_with_all = ["local_user", "identity"], value_parser = path_arg::parser())]
    public_key_file: Option<PathBuf>,
    #[command(flatten)]
    pub(super) route: RouteArgs,
}

impl HostOptions {
    /// Returns whether no option is set.
    pub(super) fn are_default(&self) -> bool {
        self.identity == Identity::Agent
            && self.local_user.is_none()
            && self.private_key_file.is_none()
            && self.public_key_file.is_none()
            && self.route.are_default()
    }
}

/// Finds a machine and says how it is reached. The login name is the certificate's first principal, so that a certificate
/// is issued if there is none.
pub(super) async fn block(
    names: &mut LoginNames<'_>,
    target: &Target,
    group: Option<&ResourceGroup>,
    options: &HostOptions,
) -> Result<Block, Failure> {
    let (ui, context) = (names.ui, names.context);
    let Found {
        machine: resource_id,
        profile,
        tenant,
    } = find_machine::find(ui, context, target, group).await?;
    options.route.check(resource_id.as_ref())?;
    let public_key_file = options.public_key_file.as_deref().map(absolute);
    let public_key_file = public_key_file.transpose()?;
    let (user, identity) = if let Some(user) = &options.local_user {
        (user.clone(), Identity::Own)
    } else if let Some(file) = &public_key_file {
        let keep = async || {
            identity::certificate_of_own_key(
                context,
                &profile,
                tenant.as_ref(),
                file,
                RenewWhen::Due,
            )
            .await
        };
        let (certificate, _) = context.answering(ui, &profile, keep).await?;
        let now = context.host.clock.now();
        context.record_warnings(&certificate.explain().summarize(now, None));
        (certificate.login_name().clone(), Identity::PublicKey)
    } else {
        let tenancy = Tenancy::of(tenant.as_ref(), resource_id.as_ref());
        (names.of(&profile, &tenancy).await?, options.identity)
    };
    let private_key_file = match &options.private_key_file {
        Some(file) if !file.is_file() => {
            return Err(file_failure("find", file, &io::ErrorKind::NotFound.into()));
        }
        Some(file) => Some(absolute(file)?),
        None => None,
    };
    let address = options.route.address(target);
    let route = Route::to(resource_id.as_ref(), address.as_ref());
    Ok(Block {
        host: alias_of(target)?,
        user,
        route,
        identity,
        profile,
        tenant,
        port: options.route.port.unwrap_or(SSH_PORT),
        address,
        prefer_private_ip: options.route.prefer_private_ip
            && resource_id.is_some()
            && route == Route::Direct,
        private_key_file,
        public_key_file,
        resource_id,
    })
}

fn parse_identity(text: &str) -> Result<Identity, String> {
    match text {
        "agent" => Ok(Identity::Agent),
        "file" => Ok(Identity::File),
        "system-agent" => Ok(Identity::SystemAgent),
        _ => Err(format!(
            "invalid value `{text}`: expected agent, system-agent or file"
        )),
    }
}

/// Returns the alias of a machine: its name as it was typed, since ssh tells upper from lower case where Azure does not.
fn alias_of(target: &Target) -> Result<HostAlias, Failure> {
    let name = match target {
        Target::Address(address) => address.as_str(),
        Target::Id(id) => id.name().as_str(),
        Target::Name { name, .. } => name.as_str(),
    };
    Ok(name.parse()?)
}
