//! The relay client measured side by side with `socat` over OpenSSL and with plain TCP, in one run.
//!
//! ```sh
//! cargo run --release --example bench
//! cargo run --release --example bench -- --quick              # less of everything, for a first look
//! cargo run --release --example bench -- --program FILE       # another build of entra-ssh
//! ```
//!
//! It needs `socat` on the PATH, and nothing else. What is measured is the command as it is shipped: it is built first, and
//! run as ssh runs it, with pipes. At the other end is a minimal TLS WebSocket of this program's own; beside it stands in for
//! the agent what answers as one with everything at hand. Absolute figures depend on the machine and on what else it does;
//! the ratios are what counts.

#[cfg(target_os = "linux")]
mod far_end;
#[cfg(target_os = "linux")]
mod home;
#[cfg(target_os = "linux")]
mod memory;
#[cfg(target_os = "linux")]
mod report;
#[cfg(target_os = "linux")]
mod sender;

#[cfg(target_os = "linux")]
use std::io::{self, Write as _};
use std::process::ExitCode;

use examples::fail;
#[cfg(target_os = "linux")]
use examples::say;

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
    match run() {
        Ok(text) => {
            say(text.trim_end());
            ExitCode::SUCCESS
        }
        Err(error) => {
            fail(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    fail("the bench reads /proc, and so needs Linux");
    ExitCode::FAILURE
}

#[cfg(target_os = "linux")]
fn run() -> Result<String, Box<dyn std::error::Error>> {
    use sender::{Kind, Sender};

    let options = Options::parse(std::env::args().skip(1))?;
    let program = match options.program {
        Some(program) => program,
        None => home::build_program()?,
    };
    let far_end = far_end::FarEnd::open()?;
    let home = home::Home::make(&program, &far_end)?;
    let senders =
        [Kind::Plain, Kind::Socat, Kind::Proxy].map(|kind| Sender::new(kind, &home, &far_end));
    let mut report = report::Report::default();
    for round in 1..=options.rounds {
        let tell = |what| {
            write!(
                io::stderr(),
                "\rround {round} of {}: {what:<12}",
                options.rounds
            )
        };
        let _said = tell("all in turn");
        let times = sender::take_turns(&senders, options.pings, options.starts)?;
        // One after another within a round, so that what else the machine does meets all of them.
        for (sender, times) in senders.iter().zip(times) {
            let _said = tell(sender.name());
            let figures = sender.measure(options.bytes, times)?;
            report.add(sender.name(), &figures);
        }
    }
    let _said = writeln!(io::stderr());
    Ok(report.text(options.bytes) + &memory::measure(&home)?)
}

/// What is measured.
#[cfg(target_os = "linux")]
struct Options {
    program: Option<std::path::PathBuf>,
    rounds: usize,
    /// How much is sent each way.
    bytes: u64,
    pings: usize,
    starts: usize,
}

#[cfg(target_os = "linux")]
impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self {
            program: None,
            rounds: 5,
            bytes: 1 << 30,
            pings: 10_000,
            starts: 15,
        };
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--quick" => {
                    options.rounds = 3;
                    options.bytes = 1 << 28;
                    options.pings = 1_000;
                    options.starts = 5;
                }
                "--program" => {
                    let file = arguments.next().ok_or("--program needs a file")?;
                    options.program = Some(file.into());
                }
                other => {
                    return Err(format!(
                        "`{other}` is no option; there are --quick and --program FILE"
                    ));
                }
            }
        }
        Ok(options)
    }
}
