use clap::Args;

use super::super::route_args::RouteArgs;
use super::bind::Bind;
use crate::ids::ResourceGroup;

/// Open a local port that leads to a machine, for clients without `ProxyCommand`
///
/// Each connection to the port opens one to the machine, with credentials that are valid at that moment, so it can run for
/// days. Ctrl-C stops it: open connections have ten seconds to end; a second Ctrl-C closes them.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  entra-ssh forward web01 --bind 127.0.0.1:2222\n  \
    entra-ssh forward win01 --port 3389 --no-certificate\n\n\
    It prints the command to log in with.\n\nA SOCKS proxy, or another port of the machine, needs only ssh:\n  \
    ssh -N -D 1080 web01\n  ssh -N -L 13389:localhost:3389 win01"
)]
pub(in super::super) struct ForwardArgs {
    /// The machine: a managed host, a name, group/name, a resource ID, or an address
    #[arg(required_unless_present = "ip")]
    pub(super) target: Option<String>,
    /// Listen on ADDRESS:PORT, or PORT on 127.0.0.1 [default: a free port]
    #[arg(
        long,
        value_name = "ADDRESS:PORT",
        default_value = "127.0.0.1:0",
        hide_default_value = true
    )]
    pub(super) bind: Bind,
    /// The machine's resource group
    #[arg(short = 'g', long)]
    pub(super) resource_group: Option<ResourceGroup>,
    #[command(flatten)]
    pub(super) route: RouteArgs,
    /// Skip the certificate; logins use their own keys, or the port is not sshd's
    #[arg(long)]
    pub(super) no_certificate: bool,
}
