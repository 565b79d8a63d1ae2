//! Runs the sandbox, a stand-in for Microsoft's cloud, until standard input ends or SIGTERM comes.
//!
//! The first line on standard output is one JSON object with everything that is needed to use it:
//!
//! ```sh
//! cargo run --release --example sandbox
//! cargo run --release --example sandbox -- --sshd    # the machines are the system's own sshd
//! entra-ssh --cloud CLOUD_FILE login --device-code
//! curl --cacert CA_FILE CONTROL/approve -d '{"user_code":"…","upn":"…"}'
//! ```

use std::io::Write as _;
use std::process::ExitCode;

use examples::fail;
use sandbox::{MachineKind, Options, Sandbox};
use tokio::io::AsyncReadExt as _;

fn main() -> ExitCode {
    let outcome = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Into::into)
        .and_then(|runtime| {
            let outcome = runtime.block_on(run());
            // A read of standard input that still waits on its thread must not hold up the end.
            runtime.shutdown_background();
            outcome
        });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            fail(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    let mut options = Options::default();
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--sshd" => options.machine_kind = MachineKind::Sshd,
            other => return Err(format!("`{other}` is no option; there is --sshd").into()),
        }
    }
    let sandbox = Sandbox::start(options)?;
    writeln!(
        std::io::stdout(),
        "{}",
        serde_json::to_string(&sandbox.description())?
    )?;
    let mut input = tokio::io::stdin();
    let mut ignored = [0; 256];
    loop {
        tokio::select! {
            read = input.read(&mut ignored) => if read? == 0 { break },
            () = terminated() => break,
        }
    }
    drop(sandbox);
    Ok(())
}

/// Waits for SIGTERM or Ctrl-C.
async fn terminated() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
            return;
        }
    }
    let _interrupted = tokio::signal::ctrl_c().await;
}
