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
/// How long nothing at all may come after a ping.
const PONG_LIMIT: Duration = Duration::from_secs(20);
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
    let heard = Cell::new(Instant::now());
    let mut sender = Sender {
        writer,
        random: SystemRandom::new(),
        host: &host,
    };
    let mut down = Box::pin(down(reader, output, early, controls, &heard, &host));
    let outcome = {
        let mut up = Box::pin(up(input, &mut sender, pending_controls, &heard));
        tokio::select! {
            biased;
            outcome = &mut down => outcome,
            ended = &mut up => match ended {
                Ok(()) => match timeout(DRAIN_LIMIT, &mut down).await {
                    Ok(Err(error)) => Err(error),
                    Ok(Ok(_)) | Err(_) => Ok(Ending::Near),
                },
                Err(error) => Err(error),
            },
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
    heard: &Cell<Instant>,
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
                let silence = heard.get().elapsed();
                if silence > PING_INTERVAL + PONG_LIMIT {
                    return Err(RelayError::Silent {
                        host: sender.host.to_owned(),
                        seconds: silence.as_secs(),
                    });
                }
                sender.send_control(&Control(Opcode::Ping, Vec::new())).await?;
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
    heard: &Cell<Instant>,
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
                    if output.write_all(bytes).await.is_err() {
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
            Ok(_) => heard.set(Instant::now()),
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
