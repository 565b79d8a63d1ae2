use std::path::PathBuf;

use clap::ArgAction;
use clap::builder::BoolishValueParser;

use super::path_arg;
use super::ui::Format;
use crate::ids::{ProfileName, SubscriptionId};
use crate::keyring::Choice;

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Global options")]
pub(super) struct Global {
    /// Use this signed-in account; without it, `default`, or for a machine of another tenant the account of that tenant
    #[arg(long, global = true, env = "ENTRA_SSH_PROFILE")]
    pub(super) profile: Option<ProfileName>,
    /// Sign in to this cloud: `AzureCloud` (which is the default), `AzureUSGovernment`, `AzureChinaCloud`, or a TOML file
    #[arg(long, global = true, env = "ENTRA_SSH_CLOUD")]
    pub(super) cloud: Option<String>,
    /// Look for machines in these subscriptions alone
    #[arg(
        long,
        global = true,
        env = "ENTRA_SSH_SUBSCRIPTION",
        value_delimiter = ',',
        value_name = "ID"
    )]
    pub(super) subscription: Vec<SubscriptionId>,
    /// Keep secrets here: auto, secret-service, keyutils, keychain, windows, file, memory
    #[arg(long, global = true, env = "ENTRA_SSH_KEYRING", default_value_t)]
    pub(super) keyring: Choice,
    /// Print results as text or json
    #[arg(
        short,
        long,
        global = true,
        env = "ENTRA_SSH_OUTPUT",
        default_value = "text",
        value_name = "FORMAT"
    )]
    pub(super) output: Format,
    /// Print nothing but results and failures
    #[arg(long, global = true, env = "ENTRA_SSH_QUIET", value_parser = BoolishValueParser::new())]
    pub(super) quiet: bool,
    /// Tell what is being done: -v the steps, -vv the requests, -vvv all
    #[arg(short, long, global = true, env = "ENTRA_SSH_VERBOSE", action = ArgAction::Count)]
    pub(super) verbose: u8,
    /// Write all that -vvv tells to the end of this file
    #[arg(long, global = true, env = "ENTRA_SSH_LOG_FILE", value_name = "FILE", value_parser = path_arg::parser())]
    pub(super) log_file: Option<PathBuf>,
    /// Find the agent at this socket
    #[arg(
        long,
        global = true,
        env = "ENTRA_SSH_AGENT_SOCKET",
        value_name = "FILE",
        value_parser = path_arg::parser()
    )]
    pub(super) agent_socket: Option<PathBuf>,
}
