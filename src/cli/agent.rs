mod install;

use std::fmt::Write as _;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::json;

use super::context::Context;
use super::ui::Ui;
use crate::agent::{self, DEFAULT_IDLE_SECONDS, hand_over, orphans};
use crate::failure::Failure;
use crate::host::process;
use crate::time::Spoken;

/// Run, start, stop or inspect the agent
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  entra-ssh agent status\n  entra-ssh agent install")]
pub(super) struct AgentArgs {
    #[command(subcommand)]
    command: AgentCommand,
}

#[derive(Debug, Subcommand)]
enum AgentCommand {
    /// Run the agent in the foreground
    Run {
        /// Exit after this many seconds without a request
        #[arg(long, default_value_t = DEFAULT_IDLE_SECONDS, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
        idle: u32,
        /// Leave the terminal's session
        #[arg(long, hide = true)]
        detached: bool,
        /// Take the place of the agent that hands its memory over on standard input
        #[arg(long, hide = true)]
        inherit: bool,
    },
    Install(install::InstallArgs),
    /// Start the agent if it is not running
    Start,
    /// Stop the agent
    Stop,
    /// Show whether the agent is running
    Status,
}

pub(super) async fn run(ui: Ui, context: &Context, args: AgentArgs) -> Result<(), Failure> {
    match args.command {
        AgentCommand::Run {
            idle,
            detached,
            inherit,
        } => {
            if detached {
                process::leave_session();
            }
            let idle = Duration::from_secs(idle.into());
            let inherited = inherit.then(|| hand_over::receive(std::io::stdin().lock()));
            let inherited = inherited.transpose().map_err(|error| {
                Failure::new("cannot take over the memory of the agent").caused_by(&error)
            })?;
            let host = context.host.clone();
            agent::serve(host, context.agent.socket(), idle, inherited).await
        }
        AgentCommand::Install(args) => install::run(ui, context, &args),
        AgentCommand::Start => {
            context.agent.start().await?;
            status(ui, context).await
        }
        AgentCommand::Stop => stop(ui, context).await,
        AgentCommand::Status => status(ui, context).await,
    }
}

/// Stops the agent, and agents that clients can no longer reach.
async fn stop(ui: Ui, context: &Context) -> Result<(), Failure> {
    let before = context.agent.status().await;
    let has_run = context.agent.stop().await?;
    let sockets = context.host.paths.agent_sockets();
    let sockets: Vec<_> = sockets.chain([context.agent.socket().to_owned()]).collect();
    let orphans = orphans::end(&sockets);
    if let Ok(Some(status)) = before
        && has_run
        && status.sign_ins > 0
    {
        let what = match status.sign_ins {
            1 => "a sign-in that was".to_owned(),
            several => format!("{several} sign-ins that were"),
        };
        ui.say(&format!(
            "warning: {what} kept only in the agent's memory ended with it; sign in again: entra-ssh login"
        ));
    }
    let mut text = String::new();
    if has_run {
        text.push_str("stopped the agent\n");
    }
    for orphan in &orphans {
        // Writing to a String does not fail.
        let _written = writeln!(
            text,
            "ended process {orphan}, an agent whose socket is gone"
        );
    }
    if text.is_empty() {
        text.push_str("the agent did not run\n");
    }
    let is_stopped = has_run || !orphans.is_empty();
    ui.result(&json!({ "stopped": is_stopped, "orphans": orphans }), &text)?;
    Ok(())
}

async fn status(ui: Ui, context: &Context) -> Result<(), Failure> {
    let socket = context.agent.socket().display();
    let Some(status) = context.agent.status().await? else {
        ui.result(
            &json!({ "running": false, "socket": context.agent.socket() }),
            &format!("the agent does not run ({socket})\n"),
        )?;
        return Ok(());
    };
    let now = context.host.clock.now();
    let since = status.started.map_or_else(String::new, |started| {
        format!(" for {}", Spoken(now.since(started)))
    });
    if status.is_replaced && status.sign_ins > 0 {
        ui.say(
            "warning: the agent runs a program that has been replaced, and goes on since it holds the only copy of a sign-in; \
             to run the new one: entra-ssh agent stop; entra-ssh login",
        );
    }
    let locked = if status.is_locked { ", locked" } else { "" };
    ui.result(
        &json!({
            "running": true, "socket": context.agent.socket(), "pid": status.pid, "version": status.version,
            "profiles": status.profiles, "started": status.started.map(|started| started.to_string()),
            "locked": status.is_locked, "unsaved": status.unsaved, "waiting": status.waiting, "memory_locked": status.is_memory_locked,
            "sign_ins_in_memory": status.sign_ins,
        }),
        &format!(
            "the agent runs{since}: process {}, version {}{locked} ({socket})\n",
            status.pid, status.version
        ),
    )?;
    if let Some(waiting) = &status.waiting {
        ui.say(&format!("waiting: {waiting}"));
    }
    for unsaved in &status.unsaved {
        ui.say(&format!("warning: {unsaved}"));
    }
    if status.is_locked {
        ui.say(&format!("hint: {}", context.unlock_hint()));
    }
    Ok(())
}
