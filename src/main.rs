//! The `entra-ssh` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    entra_ssh::cli::run()
}
