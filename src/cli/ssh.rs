use std::ffi::OsString;
use std::path::Path;

use clap::Args;

use super::context::Context;
use super::find_machine;
use super::host_options::{self, HostOptions};
use super::identity;
use super::login_names::LoginNames;
use super::one_connection;
use super::ui::Ui;
use crate::failure::{Failure, FailureKind};
use crate::host::process;
use crate::identity::Place;
use crate::ids::ResourceGroup;
use crate::openssh::{SSH_VARIABLE, ssh_arguments, take_config_file};
use crate::ssh_config::{Block, Identity};

/// Connect to a machine without any config; exits with ssh's status
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  entra-ssh ssh web01\n  entra-ssh ssh rg-web/web01 -- uptime\n  \
    entra-ssh ssh web01 -- -L 8080:localhost:80\n  entra-ssh ssh --ip 10.0.0.4"
)]
pub(super) struct SshArgs {
    /// The machine: a managed host, a name, group/name, a resource ID, or an address
    #[arg(required_unless_present_any = ["name", "ip"])]
    target: Option<String>,
    /// The machine's name
    #[arg(short, long, conflicts_with = "target")]
    name: Option<String>,
    /// The machine's resource group
    #[arg(short = 'g', long)]
    resource_group: Option<ResourceGroup>,
    #[command(flatten)]
    options: HostOptions,
    /// Options of ssh, and a command to run on the machine
    #[arg(last = true)]
    arguments: Vec<OsString>,
}

pub(super) async fn run(ui: Ui, context: &Context, args: SshArgs) -> Result<u8, Failure> {
    let block = block(ui, context, &args).await?;
    let hosts = context.hosts();
    hosts.known_hosts()?;
    hosts.keep_host_keys(&block.resource_id);
    let env = &context.host.env;
    let ssh = match env.var_os(SSH_VARIABLE) {
        Some(program) => program.to_owned(),
        None => process::find_program("ssh", env.var_os("PATH"))
            .map(OsString::from)
            .ok_or_else(|| {
                Failure::new("`ssh` not found on the PATH").hint(
                    "install it: sudo apt install openssh-client, or set ENTRA_SSH_SSH to its path",
                )
            })?,
    };
    let arguments = arguments(context, &block, args.arguments)?;
    process::replace_with(&ssh, &arguments).map_err(|error| {
        Failure::new(format!("cannot start `{}`", ssh.display()))
            .caused_by(&error)
            .kind(FailureKind::Failed)
    })
}

/// Returns the arguments for ssh: options, or a config that holds them if ssh's command line rejects the login name.
fn arguments(
    context: &Context,
    block: &Block,
    mut rest: Vec<OsString>,
) -> Result<Vec<OsString>, Failure> {
    let options = block.options(&context.hosts().local_paths()?)?;
    let host = block.host.as_str();
    if block.user.is_for_command_line() {
        return Ok(ssh_arguments(&options, host, &rest));
    }
    let named = take_config_file(&mut rest);
    let config = one_connection::write(context, host, &options, named.as_deref().map(Path::new))?;
    let mut arguments = vec!["-F".into(), config.into(), host.into()];
    arguments.append(&mut rest);
    Ok(arguments)
}

/// Returns the managed host of the target, or the one that it would be, with a key and a certificate ready.
async fn block(ui: Ui, context: &Context, args: &SshArgs) -> Result<Block, Failure> {
    let text = args.target.as_deref().or(args.name.as_deref());
    let managed = match text {
        Some(text) => find_machine::managed(context, text)?,
        None => None,
    };
    if let Some(block) = managed
        && args.resource_group.is_none()
        && args.options.are_default()
    {
        if block.identity == Identity::Agent {
            let tenancy = block.tenancy();
            let certify = async || {
                context
                    .certificate_for_login(&block.profile, &tenancy)
                    .await
            };
            context.answering(ui, &block.profile, certify).await?;
        }
        return Ok(block);
    }
    let target = match (text, args.options.route.target()) {
        (None, Some(address)) => address,
        (text, _) => text.unwrap_or_default().parse()?,
    };
    let group = args.resource_group.as_ref();
    let mut names = LoginNames::new(ui, context);
    let mut block = host_options::block(&mut names, &target, group, &args.options).await?;
    // Two machines may have one name, and ssh must not share a connection to one of them with the other.
    block.host = block.host_name().parse()?;
    // For a managed host, ssh has this done while it reads its config.
    if let Some(place) = Place::of(block.identity) {
        identity::keep(context, &block.profile, block.tenant.as_ref(), place).await?;
    }
    Ok(block)
}
