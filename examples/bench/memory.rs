//! How much memory the command holds at most while somebody does their worst.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use super::far_end::COMMAND_BYTES;
use super::home::Home;

/// How long the worst is done for.
const WHILE: Duration = Duration::from_secs(2);
/// How many connections one `forward` is to carry.
const CONNECTIONS: usize = 200;
/// What each of them sends, and gets back, in bytes.
const EACH_BYTES: usize = 1024 * 1024;
/// What is aimed at, in MiB.
const PROXY_AIM: f64 = 8.0;
const FORWARD_AIM: f64 = 64.0;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Measures it, and returns it as lines of text.
pub(crate) fn measure(home: &Home) -> Outcome<String> {
    let mut text = String::from("\npeak memory of entra-ssh\n");
    for (what, peak, aim) in [
        ("far end never reads", stuffed(home)?, PROXY_AIM),
        ("far end floods, nobody reads", flooded(home)?, PROXY_AIM),
        ("forward, 200 busy connections", forward(home)?, FORWARD_AIM),
    ] {
        let verdict = if peak < aim { "met" } else { "missed" };
        writeln!(
            text,
            "  {what:<30} {peak:>5.1} MiB  aim: under {aim} MiB  {verdict}"
        )?;
    }
    Ok(text)
}

/// A process that is killed when this is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _killed = self.0.kill();
        let _ended = self.0.wait();
    }
}

impl Running {
    fn start(mut command: Command) -> Outcome<Self> {
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        Ok(Self(command.spawn()?))
    }

    fn peak(&self) -> Outcome<f64> {
        peak(self.0.id())
    }
}

/// Returns the most memory that a process has had, in MiB.
pub(crate) fn peak(process: u32) -> Outcome<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib: f64 = line
        .and_then(|line| line.split_whitespace().next())
        .ok_or("no VmHWM")?
        .parse()?;
    Ok(kib / 1024.0)
}

fn command(verb: u8, bytes: u64) -> [u8; COMMAND_BYTES] {
    let mut command = [0; COMMAND_BYTES];
    let [first, length @ ..] = &mut command;
    *first = verb;
    *length = bytes.to_be_bytes();
    command
}

/// The far end takes the command and then nothing any more, while as much is sent as goes.
fn stuffed(home: &Home) -> Outcome<f64> {
    let mut running = Running::start(home.proxy())?;
    let mut input = running.0.stdin.take().ok_or("no pipe")?;
    input.write_all(&command(b'n', 0))?;
    // It is stuck in the end, and breaks when the process does.
    thread::spawn(move || while input.write_all(&[0x5a; 16 * 1024]).is_ok() {});
    thread::sleep(WHILE);
    running.peak()
}

/// The far end sends as much as goes, and nobody reads what comes of it.
fn flooded(home: &Home) -> Outcome<f64> {
    let mut running = Running::start(home.proxy())?;
    let mut input = running.0.stdin.take().ok_or("no pipe")?;
    input.write_all(&command(b'd', u64::MAX))?;
    thread::sleep(WHILE);
    running.peak()
}

/// One `forward` carries many connections, each of which sends and gets back so much.
fn forward(home: &Home) -> Outcome<f64> {
    let mut running = Running::start(home.forward())?;
    let output = running.0.stdout.take().ok_or("no pipe")?;
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line)?;
    let row: serde_json::Value = serde_json::from_str(&line)?;
    let address = row.get("bind").and_then(serde_json::Value::as_str);
    let address = address.ok_or("no address")?;
    let mut open = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        stream.write_all(&command(b'e', 0))?;
        open.push(stream);
    }
    let mut busy = Vec::new();
    for stream in &open {
        let (mut reader, mut writer) = (stream.try_clone()?, stream.try_clone()?);
        busy.push(thread::spawn(move || {
            let writing = thread::spawn(move || writer.write_all(&vec![0x5a; EACH_BYTES]));
            reader.read_exact(&mut vec![0; EACH_BYTES])?;
            writing.join().unwrap_or(Ok(()))
        }));
    }
    for thread in busy {
        thread.join().map_err(|_| "a thread panicked")??;
    }
    running.peak()
}
