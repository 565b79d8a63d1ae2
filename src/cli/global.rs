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
    /// Use this profile [default: `default`; for a machine of another tenant, the profile of that tenant]
    #[arg(long, global = true, env = "ENTRA_SSH_PROFILE")]
    pub(super) profile: Option<ProfileName>,
    /// Use this cloud: `AzureCloud`, `AzureUSGovernment`, `AzureChinaCloud`, or a TOML file [default: `AzureCloud`]
    #[arg(long, global = true, env = "ENTRA_SSH_CLOUD")]
    pub(super) cloud: Option<String>,
    /// Search only these subscriptions
    #[arg(
        long,
        global = true,
        env = "ENTRA_SSH_SUBSCRIPTION",
        value_delimiter = ',',
        value_name = "ID"
    )]
    pub(super) subscription: Vec<SubscriptionId>,
    /// Store secrets in this keyring: auto, secret-service, keyutils, keychain, windows, file, memory
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
    /// Print only results and errors
    #[arg(long, global = true, env = "ENTRA_SSH_QUIET", value_parser = BoolishValueParser::new())]
    pub(super) quiet: bool,
    /// Log to standard error: -v steps, -vv requests, -vvv everything
    #[arg(short, long, global = true, env = "ENTRA_SSH_VERBOSE", action = ArgAction::Count)]
    pub(super) verbose: u8,
    /// Append everything that -vvv logs to this file
    #[arg(long, global = true, env = "ENTRA_SSH_LOG_FILE", value_name = "FILE", value_parser = path_arg::parser())]
    pub(super) log_file: Option<PathBuf>,
    /// Use the agent at this socket
    #[arg(
        long,
        global = true,
        env = "ENTRA_SSH_AGENT_SOCKET",
        value_name = "FILE",
        value_parser = path_arg::parser()
    )]
    pub(super) agent_socket: Option<PathBuf>,
}
