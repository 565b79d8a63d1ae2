use std::cell::Cell;
use std::io;
use std::time::Duration;

use ring::rand::{SecureRandom as _, SystemRandom};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};

use super::frame::{self, Decoder, Event, MAX_HEADER_BYTES, Opcode};
use super::{Connection, RelayError};

/// How many bytes a frame of ours carries at most.
const CHUNK_BYTES: usize = 64 * 1024;
/// How many bytes are read at once.
const READ_BYTES: usize = 128 * 1024;
/// How often a ping is sent; the relay drops what is idle for two minutes.
const PING_INTERVAL: Duration = Duration::from_secs(30);
/// How long nothing at all may come after a ping. A dead link is noticed sooner, by the limits of its TCP connection; this
/// is for a relay that holds the connection and does nothing, and must not hit one that is merely slow to take an upload.
const PONG_LIMIT: Duration = Duration::from_secs(90);
/// How often the watch looks.
const WATCH_INTERVAL: Duration = Duration::from_secs(5);
/// How long the far side's last words are waited for when sending fails.
const LAST_WORDS_LIMIT: Duration = Duration::from_secs(2);
/// How long what still comes is passed on after our input has ended.
const DRAIN_LIMIT: Duration = Duration::from_secs(10);
/// How long the last frame may take.
const CLOSE_LIMIT: Duration = Duration::from_secs(2);
/// How many answers to pings may wait to be sent; more than a peer has reason to ask for.
const MAX_PENDING_CONTROLS: usize = 16;

/// How a connection came to its end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ending {
    /// The machine's side closed it.
    Far,
    /// Our side ended, and what still came was passed on.
    Near,
}

/// A control frame to be sent.
struct Control(Opcode, Vec<u8>);

/// Whether the far side owes an answer, and since when.
#[derive(Default)]
struct Watch {
    /// When the first ping was sent that nothing has come after.
    pinged: Cell<Option<Instant>>,
    /// Whether what comes cannot be read, because our output takes nothing: then silence says nothing.
    is_output_full: Cell<bool>,
}

impl Watch {
    fn on_ping(&self) {
        self.pinged
            .set(self.pinged.get().or_else(|| Some(Instant::now())));
    }

    fn on_bytes(&self) {
        self.pinged.set(None);
    }

    /// Returns how long the far side has been silent once that is too long.
    async fn silence(&self) -> Duration {
        loop {
            tokio::time::sleep(WATCH_INTERVAL).await;
            if self.is_output_full.get() {
                self.on_bytes();
            }
            if let Some(silence) = self.pinged.get().map(|since| since.elapsed())
                && silence > PONG_LIMIT
            {
                return silence;
            }
        }
    }
}

/// Carries bytes both ways until one side ends.
///
/// What has come is passed on before the end is told. When the machine's side goes, this goes at once, whatever `input`
/// does; when `input` ends, what still comes is passed on for a bounded while, since a WebSocket has no half close.
///
/// # Errors
/// [`RelayError`] if the connection was closed for a reason, or broke.
pub async fn carry(
    connection: Connection,
    input: impl AsyncRead + Unpin,
    output: impl AsyncWrite + Unpin,
) -> Result<Ending, RelayError> {
    let Connection {
        stream,
        early,
        host,
    } = connection;
    let (reader, writer) = tokio::io::split(stream);
    let (controls, pending_controls) = mpsc::channel(MAX_PENDING_CONTROLS);
    let watch = Watch::default();
    let mut sender = Sender {
        writer,
        random: SystemRandom::new(),
        host: &host,
    };
    let mut down = Box::pin(down(reader, output, early, controls, &watch, &host));
    let outcome = {
        let mut up = Box::pin(up(input, &mut sender, pending_controls, &watch));
        tokio::select! {
            biased;
            outcome = &mut down => outcome,
            ended = &mut up => match ended {
                Ok(()) => match timeout(DRAIN_LIMIT, &mut down).await {
                    Ok(Err(error)) => Err(error),
                    Ok(Ok(_)) | Err(_) => Ok(Ending::Near),
                },
                // Sending fails because the far side has gone; why it has may still be there to read.
                Err(error) => match timeout(LAST_WORDS_LIMIT, &mut down).await {
                    Ok(Err(RelayError::Dropped { .. })) | Err(_) => Err(error),
                    Ok(outcome) => outcome,
                },
            },
            silence = watch.silence() => Err(RelayError::Silent {
                host: host.clone(),
                seconds: silence.as_secs(),
            }),
        }
    };
    // The connection is over either way; a close frame is a courtesy.
    let _closed = timeout(CLOSE_LIMIT, sender.close()).await;
    outcome
}

struct Sender<'a, W> {
    writer: W,
    random: SystemRandom,
    host: &'a str,
}

impl<W: AsyncWrite + Unpin> Sender<'_, W> {
    /// Sends the payload that lies behind room for a header in `buffer`.
    async fn send(&mut self, opcode: Opcode, buffer: &mut [u8]) -> Result<(), RelayError> {
        let mut mask = [0; 4];
        self.random
            .fill(&mut mask)
            .map_err(|_| self.dropped(io::Error::other("the system gives no random numbers")))?;
        let length = buffer.len().saturating_sub(MAX_HEADER_BYTES);
        let (header, used) = frame::header(opcode, length, mask);
        let start = MAX_HEADER_BYTES - used;
        let (room, payload) = buffer.split_at_mut(MAX_HEADER_BYTES);
        frame::apply_mask(payload, mask);
        for (place, byte) in room.iter_mut().skip(start).zip(header) {
            *place = byte;
        }
        let frame = buffer.get(start..).unwrap_or_default();
        self.writer
            .write_all(frame)
            .await
            .map_err(|error| self.dropped(error))?;
        self.writer
            .flush()
            .await
            .map_err(|error| self.dropped(error))
    }

    async fn send_control(&mut self, control: &Control) -> Result<(), RelayError> {
        let mut buffer = vec![0; MAX_HEADER_BYTES];
        buffer.extend_from_slice(&control.1);
        self.send(control.0, &mut buffer).await
    }

    async fn close(&mut self) -> Result<(), RelayError> {
        let normal = Control(Opcode::Close, 1000_u16.to_be_bytes().to_vec());
        self.send_control(&normal).await?;
        self.writer
            .shutdown()
            .await
            .map_err(|error| self.dropped(error))
    }

    fn dropped(&self, source: io::Error) -> RelayError {
        RelayError::Dropped {
            host: self.host.to_owned(),
            source,
        }
    }
}

/// Sends what comes from `input`, and control frames in between. Returns when `input` has ended.
async fn up(
    mut input: impl AsyncRead + Unpin,
    sender: &mut Sender<'_, impl AsyncWrite + Unpin>,
    mut controls: mpsc::Receiver<Control>,
    watch: &Watch,
) -> Result<(), RelayError> {
    let mut buffer = vec![0; MAX_HEADER_BYTES + CHUNK_BYTES];
    let mut ticks = interval_at(Instant::now() + PING_INTERVAL, PING_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let (_, payload) = buffer.split_at_mut(MAX_HEADER_BYTES);
        tokio::select! {
            read = input.read(payload) => {
                // An input that fails is one that has ended: ssh is gone.
                let length = read.unwrap_or(0);
                if length == 0 {
                    return Ok(());
                }
                if let Some(frame) = buffer.get_mut(..MAX_HEADER_BYTES + length) {
                    sender.send(Opcode::Binary, frame).await?;
                }
            }
            Some(control) = controls.recv() => sender.send_control(&control).await?,
            _ = ticks.tick() => {
                sender.send_control(&Control(Opcode::Ping, Vec::new())).await?;
                watch.on_ping();
            }
        }
    }
}

/// Passes what comes on to `output`, until the far side ends.
async fn down(
    mut reader: impl AsyncRead + Unpin,
    mut output: impl AsyncWrite + Unpin,
    early: Vec<u8>,
    controls: mpsc::Sender<Control>,
    watch: &Watch,
    host: &str,
) -> Result<Ending, RelayError> {
    let mut decoder = Decoder::default();
    let mut buffer = early;
    buffer.reserve(READ_BYTES);
    loop {
        let mut used = 0;
        loop {
            let rest = buffer.get(used..).unwrap_or_default();
            let (length, event) = decoder.next(rest).map_err(|reason| RelayError::NotARelay {
                host: host.to_owned(),
                reason: reason.to_owned(),
            })?;
            used += length;
            match event {
                Event::More => break,
                Event::Data(bytes) => {
                    watch.is_output_full.set(true);
                    let written = output.write_all(bytes).await;
                    watch.is_output_full.set(false);
                    if written.is_err() {
                        // Whoever read our output has gone.
                        return Ok(Ending::Near);
                    }
                }
                // A peer that pings faster than answers can be sent is owed only the last ones (RFC 6455, section 5.5.3).
                Event::Ping(payload) => drop(controls.try_send(Control(Opcode::Pong, payload))),
                Event::Pong => {}
                Event::Close(code, reason) => {
                    flush(&mut output).await;
                    return match code {
                        1000 | 1005 => Ok(Ending::Far),
                        _ => Err(RelayError::Closed { code, reason }),
                    };
                }
            }
        }
        buffer.drain(..used);
        flush(&mut output).await;
        match reader.read_buf(&mut buffer).await {
            Ok(0) => {
                return Err(RelayError::Dropped {
                    host: host.to_owned(),
                    source: io::ErrorKind::UnexpectedEof.into(),
                });
            }
            Ok(_) => watch.on_bytes(),
            Err(source) => {
                return Err(RelayError::Dropped {
                    host: host.to_owned(),
                    source,
                });
            }
        }
    }
}

/// Flushes output; that its reader has gone shows at the next write.
async fn flush(output: &mut (impl AsyncWrite + Unpin)) {
    let _flushed = output.flush().await;
}
