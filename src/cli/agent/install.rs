use clap::Args;
use serde_json::json;

use super::super::context::Context;
use super::super::ui::Ui;
use crate::agent::DEFAULT_IDLE_SECONDS;
use crate::agent::systemd::{
    SERVICE_UNIT, SOCKET_UNIT, UnwritableUnitError, service_unit, socket_unit,
};
use crate::failure::{Failure, file_failure};
use crate::host::files::{self, Access};

/// Write systemd user units that start the agent on first use
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  entra-ssh agent install\n  entra-ssh agent install --idle 600"
)]
pub(in super::super) struct InstallArgs {
    /// Stop the agent after this many seconds without a request
    #[arg(long, default_value_t = DEFAULT_IDLE_SECONDS, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    idle: u32,
}

pub(in super::super) fn run(ui: Ui, context: &Context, args: &InstallArgs) -> Result<(), Failure> {
    let folder = context.host.paths.systemd_user_units();
    let paths = context.hosts().local_paths()?;
    let units = [
        (
            SOCKET_UNIT,
            socket_unit(context.agent.socket()).map_err(|error| unwritable(&error))?,
        ),
        (
            SERVICE_UNIT,
            service_unit(&paths.program, context.agent.socket(), args.idle)
                .map_err(|error| unwritable(&error))?,
        ),
    ];
    files::make_private_folder(&folder)
        .map_err(|error| file_failure("make the folder", &folder, &error))?;
    let mut written = Vec::new();
    for (name, text) in units {
        let path = folder.join(name);
        files::write(&path, text.as_bytes(), Access::Public)
            .map_err(|error| file_failure("write", &path, &error))?;
        written.push(path);
    }
    let lines: Vec<_> = written
        .iter()
        .map(|path| format!("wrote {}\n", path.display()))
        .collect();
    let text = lines.concat();
    ui.result(&json!({ "units": written }), &text)?;
    ui.say(&format!(
        "start it with: entra-ssh agent stop; systemctl --user daemon-reload; systemctl --user enable --now {SOCKET_UNIT}"
    ));
    Ok(())
}

fn unwritable(error: &UnwritableUnitError) -> Failure {
    Failure::of(error).hint("use another path: --agent-socket FILE, or move this program")
}
