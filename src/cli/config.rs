mod add;
mod list;
mod refresh;
mod remove;
mod rows;
mod show;

use clap::{Args, Subcommand};

use super::context::Context;
use super::ui::Ui;
use crate::failure::Failure;

/// Manage the hosts in your ssh config that entra-ssh connects to
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  entra-ssh config add web01\n  entra-ssh config list")]
pub(super) struct ConfigArgs {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    Add(add::AddArgs),
    Remove(remove::RemoveArgs),
    List(list::ListArgs),
    Show(show::ShowArgs),
    Refresh(refresh::RefreshArgs),
}

pub(super) async fn run(ui: Ui, context: &Context, args: ConfigArgs) -> Result<(), Failure> {
    match args.command {
        ConfigCommand::Add(args) => add::run(ui, context, args).await,
        ConfigCommand::Remove(args) => remove::run(ui, context, args).await,
        ConfigCommand::List(args) => list::run(ui, context, args),
        ConfigCommand::Show(args) => show::run(ui, context, &args),
        ConfigCommand::Refresh(args) => refresh::run(ui, context, args).await,
    }
}
