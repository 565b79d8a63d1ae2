//! What is measured: a process between two pipes and the far end, or nothing in between.

use std::error::Error;
use std::fs;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::far_end::{COMMAND_BYTES, FarEnd};
use super::home::Home;
use super::memory;

/// How much is written or read at once.
const BLOCK_BYTES: usize = 128 * 1024;
/// How long one ping is, in bytes.
const PING_BYTES: usize = 64;
/// How many pings are not counted.
const WARM_UP: usize = 200;
/// How many pings one sender has before it is the next one's turn.
const PINGS_A_TURN: usize = 500;

/// How many ticks of `/proc` a second has: `USER_HZ`, which is 100 wherever Rust has a standard library for Linux.
const TICKS: f64 = 100.0;

/// What is put between.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) enum Kind {
    /// Nothing: a TCP connection.
    Plain,
    /// `entra-ssh proxy`.
    Proxy,
    /// `socat` over OpenSSL, with blocks of 128 KiB.
    Socat,
}

/// Something that carries bytes to the far end.
pub(crate) struct Sender<'a> {
    kind: Kind,
    home: &'a Home,
    far_end: &'a FarEnd,
}

/// One round's figures. Those of a process are missing where there is none.
#[derive(Default)]
pub(crate) struct Figures {
    /// MiB a second.
    pub(crate) up: f64,
    pub(crate) down: f64,
    /// CPU seconds a GiB.
    pub(crate) up_cpu: Option<f64>,
    pub(crate) down_cpu: Option<f64>,
    pub(crate) times: Times,
    /// MiB.
    pub(crate) peak_memory: Option<f64>,
}

/// How long things take.
#[derive(Clone, Copy, Default)]
pub(crate) struct Times {
    /// Microseconds of a ping, there and back.
    pub(crate) ping_p50: f64,
    pub(crate) ping_p99: f64,
    /// Milliseconds from the start of the process to the first byte back.
    pub(crate) start: f64,
}

type Outcome<T> = Result<T, Box<dyn Error>>;

impl<'a> Sender<'a> {
    pub(crate) const fn new(kind: Kind, home: &'a Home, far_end: &'a FarEnd) -> Self {
        Self {
            kind,
            home,
            far_end,
        }
    }

    pub(crate) const fn name(&self) -> &'static str {
        match self.kind {
            Kind::Plain => "plain TCP",
            Kind::Proxy => "entra-ssh",
            Kind::Socat => "socat",
        }
    }

    /// Takes one round of figures, but for those of times, which it is given.
    pub(crate) fn measure(&self, bytes: u64, times: Times) -> Outcome<Figures> {
        let (up, up_cpu, up_memory) = self.transfer(b'u', bytes)?;
        let (down, down_cpu, down_memory) = self.transfer(b'd', bytes)?;
        Ok(Figures {
            up,
            down,
            up_cpu,
            down_cpu,
            times,
            peak_memory: up_memory.zip(down_memory).map(|(up, down)| up.max(down)),
        })
    }

    /// Sends so many bytes one way; returns MiB a second, CPU seconds a GiB and peak memory in MiB.
    fn transfer(&self, verb: u8, bytes: u64) -> Outcome<(f64, Option<f64>, Option<f64>)> {
        let mut link = self.open(verb, bytes)?;
        let before = link.cpu_seconds()?;
        let begun = Instant::now();
        let mut block = vec![0x5a; BLOCK_BYTES];
        let mut left = bytes;
        while left > 0 {
            let length = usize::try_from(left).unwrap_or(usize::MAX).min(block.len());
            let part = block.get_mut(..length).unwrap_or_default();
            let moved = if verb == b'u' {
                link.writer.write_all(part)?;
                length
            } else {
                link.reader.read(part)?
            };
            if moved == 0 {
                return Err(format!("{} ended too early", self.name()).into());
            }
            left -= u64::try_from(moved)?;
        }
        if verb == b'u' {
            link.reader.read_exact(&mut [0])?;
        }
        let seconds = begun.elapsed().as_secs_f64();
        let mib = f64::from(u32::try_from(bytes >> 20)?);
        let cpu = link
            .cpu_seconds()?
            .zip(before)
            .map(|(after, before)| (after - before) / (mib / 1024.0));
        let memory = link.peak_memory()?;
        link.close()?;
        Ok((mib / seconds, cpu, memory))
    }

    /// Returns how long it takes from the start of the process to the first byte back, in milliseconds.
    fn start(&self) -> Outcome<f64> {
        let begun = Instant::now();
        let mut link = self.open(b'e', 0)?;
        link.writer.write_all(b"?")?;
        link.reader.read_exact(&mut [0])?;
        let milliseconds = begun.elapsed().as_secs_f64() * 1e3;
        link.close()?;
        Ok(milliseconds)
    }

    fn open(&self, verb: u8, bytes: u64) -> Outcome<Link> {
        let mut link = match self.kind {
            Kind::Plain => {
                let stream = TcpStream::connect(self.far_end.plain)?;
                stream.set_nodelay(true)?;
                Link {
                    reader: Box::new(stream.try_clone()?),
                    writer: Box::new(stream),
                    child: None,
                }
            }
            Kind::Proxy => Link::spawn(self.home.proxy())?,
            Kind::Socat => Link::spawn(self.socat())?,
        };
        let mut command = [0; COMMAND_BYTES];
        let [first, length @ ..] = &mut command;
        *first = verb;
        *length = bytes.to_be_bytes();
        link.writer.write_all(&command)?;
        Ok(link)
    }

    #[expect(clippy::disallowed_methods, reason = "a bench starts what it measures")]
    fn socat(&self) -> Command {
        let mut command = Command::new("socat");
        let address = format!(
            "OPENSSL:{},cafile={},nodelay",
            self.far_end.tls,
            self.home.ca_file().display()
        );
        command.args(["-b131072", "-", &address]);
        command
    }
}

/// Sends so many pings by way of each sender, in whole turns, and then starts each so many times. They take turns all the time,
/// so that however fast the machine is at the moment, it is so for all of them.
pub(crate) fn take_turns(
    senders: &[Sender<'_>],
    pings: usize,
    starts: usize,
) -> Outcome<Vec<Times>> {
    let mut links = Vec::new();
    for sender in senders {
        let mut link = sender.open(b'e', 0)?;
        link.ping(WARM_UP)?;
        links.push((link, Vec::new(), Vec::new()));
    }
    for _ in 0..pings.div_ceil(PINGS_A_TURN) {
        for (link, pings, _) in &mut links {
            pings.extend(link.ping(PINGS_A_TURN)?);
        }
    }
    for _ in 0..starts {
        for (sender, (_, _, starts)) in senders.iter().zip(&mut links) {
            starts.push(sender.start()?);
        }
    }
    let mut figures = Vec::new();
    for (link, mut pings, mut starts) in links {
        link.close()?;
        figures.push(Times {
            ping_p50: percentile(&mut pings, 50),
            ping_p99: percentile(&mut pings, 99),
            start: percentile(&mut starts, 50),
        });
    }
    Ok(figures)
}

/// Both ends of what carries the bytes, and its process.
struct Link {
    reader: Box<dyn Read>,
    writer: Box<dyn Write>,
    child: Option<Child>,
}

impl Link {
    fn spawn(mut command: Command) -> Outcome<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| {
                format!("cannot start {}: {error}", command.get_program().display())
            })?;
        let (Some(writer), Some(reader)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("the process has no pipes".into());
        };
        Ok(Self {
            reader: Box::new(reader),
            writer: Box::new(writer),
            child: Some(child),
        })
    }

    /// Sends so many pings one after another, and returns how long each took, in microseconds.
    fn ping(&mut self, pings: usize) -> Outcome<Vec<f64>> {
        let mut ping = [0x5a; PING_BYTES];
        let mut times = Vec::with_capacity(pings);
        for _ in 0..pings {
            let begun = Instant::now();
            self.writer.write_all(&ping)?;
            self.reader.read_exact(&mut ping)?;
            times.push(begun.elapsed().as_secs_f64() * 1e6);
        }
        Ok(times)
    }

    /// Returns what the process has used so far, all its threads together, those that have ended too.
    fn cpu_seconds(&self) -> Outcome<Option<f64>> {
        let Some(child) = &self.child else {
            return Ok(None);
        };
        let stat = fs::read_to_string(format!("/proc/{}/stat", child.id()))?;
        // Fields 14 and 15 of proc_pid_stat(5), counted behind the name, which may hold anything.
        let (_, fields) = stat.rsplit_once(')').ok_or("an odd /proc/PID/stat")?;
        let ticks: f64 = fields
            .split_whitespace()
            .skip(11)
            .take(2)
            .filter_map(|field| field.parse::<f64>().ok())
            .sum();
        Ok(Some(ticks / TICKS))
    }

    /// Returns the most memory that the process has had, in MiB.
    fn peak_memory(&self) -> Outcome<Option<f64>> {
        let Some(child) = &self.child else {
            return Ok(None);
        };
        Ok(Some(memory::peak(child.id())?))
    }

    fn close(self) -> io::Result<()> {
        drop(self.writer);
        drop(self.reader);
        let Some(mut child) = self.child else {
            return Ok(());
        };
        let deadline = Instant::now() + Duration::from_secs(1);
        while child.try_wait()?.is_none() {
            if Instant::now() > deadline {
                child.kill()?;
                child.wait()?;
                break;
            }
            thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }
}

/// Returns a percentile by the nearest rank; sorts on the way.
pub(crate) fn percentile(values: &mut [f64], percent: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    let rank = (values.len() * percent).div_ceil(100).saturating_sub(1);
    values.get(rank).copied().unwrap_or(f64::NAN)
}
