use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
#[cfg(unix)]
use tokio::net::unix::pipe::{Receiver, Sender};
use tokio::time::Instant;

use super::dial::invalid;
use super::frame::{Decoder, Event, Opcode};
use super::outgoing::Outgoing;
use super::waiter::{Runtime, Waiter};
use super::watch::{Overdue, Watch};
use super::{Connection, RelayError};
use crate::host::output::Output;
#[cfg(unix)]
use crate::host::poll::{Poller, Watched};
use crate::host::standard_streams;

/// The codes of our close frame (RFC 6455, section 7.4.1): a normal close, or the far end broke the protocol.
const CLOSE_NORMAL: u16 = 1000;
const CLOSE_PROTOCOL_ERROR: u16 = 1002;
/// How long the last frame may take.
const CLOSE_LIMIT: Duration = Duration::from_secs(2);

/// How a connection ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ending {
    /// The machine's side closed it.
    Far,
    /// Our side ended, and the rest of the machine's data was passed on.
    Near,
}

/// Carries bytes both ways until one side ends.
///
/// Passes on everything received before it returns. Returns at once when the machine's side closes; when `input` ends, keeps
/// receiving until the machine has been silent for a while, since a WebSocket has no half close.
///
/// # Errors
/// [`RelayError`] if the connection was closed for a reason, or broke.
pub async fn carry(
    connection: Connection,
    input: impl AsyncRead + Unpin,
    output: impl Output,
) -> Result<Ending, RelayError> {
    Tunnel::new(connection, input, output).carry(&Runtime).await
}

/// Carries bytes as [`carry`] does, from standard input and to standard output. If both are pipes, this thread does nothing
/// else meanwhile: a timeout around it never fires, and other tasks do not run.
///
/// # Errors
/// As [`carry`].
pub async fn carry_standard_streams(
    connection: Connection,
    input: standard_streams::Input,
    output: standard_streams::Output,
) -> Result<Ending, RelayError> {
    match (input, output) {
        #[cfg(unix)]
        (standard_streams::Input::Pipe(input), standard_streams::Output::Pipe(output)) => {
            let host = connection.host.clone();
            let (poller, tunnel) = watch(connection, input, output)
                .map_err(|source| RelayError::Dropped { host, source })?;
            tunnel.carry(&poller).await
        }
        (input, output) => carry(connection, input, output).await,
    }
}

/// Detaches a connection and two pipes from the runtime.
#[cfg(unix)]
fn watch(
    connection: Connection,
    input: Receiver,
    output: Sender,
) -> io::Result<(Poller, Tunnel<Watched, Watched, Watched>)> {
    let mut poller = Poller::default();
    let input = poller.watch(input.into_nonblocking_fd()?);
    let output = poller.watch(output.into_nonblocking_fd()?);
    let Connection {
        tcp,
        records,
        plain,
        capacity,
        host,
    } = connection;
    let connection = Connection {
        tcp: poller.watch(tcp.into_std()?.into()),
        records,
        plain,
        capacity,
        host,
    };
    Ok((poller, Tunnel::new(connection, input, output)))
}

/// One connection at work. Both directions are one task's, so that nothing is locked and whatever the machine hands over is
/// dealt with in as few turns as possible.
struct Tunnel<S, I, O> {
    connection: Connection<S>,
    input: I,
    output: O,
    outgoing: Outgoing,
    decoder: Decoder,
    /// How many bytes at the front of what was decrypted are payload for the output.
    deliverable: usize,
    /// What a ping asks to have back. Of several only the last one is owed (RFC 6455, section 5.5.3).
    pong: Option<Vec<u8>>,
    is_ping_due: bool,
    /// Why nothing more will come, once it is so; what has come before is passed on first.
    lost: Option<io::Error>,
    /// Why nothing can be sent any more. What the far side said last may still be there to read.
    broken: Option<RelayError>,
    watch: Watch,
}

impl<S: AsyncRead + AsyncWrite + Unpin, I: AsyncRead + Unpin, O: Output> Tunnel<S, I, O> {
    fn new(connection: Connection<S>, input: I, output: O) -> Self {
        Self {
            outgoing: Outgoing::new(connection.capacity),
            connection,
            input,
            output,
            decoder: Decoder::default(),
            deliverable: 0,
            pong: None,
            is_ping_due: false,
            lost: None,
            broken: None,
            watch: Watch::begin(Instant::now()),
        }
    }

    async fn carry(mut self, waiter: &impl Waiter) -> Result<Ending, RelayError> {
        let outcome = self.run(waiter).await;
        // The connection has ended either way; the close is best effort.
        let code = match &outcome {
            Err(RelayError::NotARelay { .. }) => CLOSE_PROTOCOL_ERROR,
            _ => CLOSE_NORMAL,
        };
        let deadline = Instant::now() + CLOSE_LIMIT;
        let mut is_said = false;
        let close = |context: &mut Context<'_>| self.poll_close(context, code, &mut is_said);
        let _closed = waiter.until(deadline, close).await;
        outcome
    }

    async fn run(&mut self, waiter: &impl Waiter) -> Result<Ending, RelayError> {
        loop {
            let deadline = self.watch.deadline();
            match waiter.until(deadline, |context| self.poll(context)).await {
                Some(Some(outcome)) => return outcome,
                // A deadline has changed.
                Some(None) => {}
                None => {
                    if let Some(outcome) = self.on_deadline() {
                        return outcome;
                    }
                }
            }
        }
    }

    fn on_deadline(&mut self) -> Option<Result<Ending, RelayError>> {
        let is_output_full = self.deliverable > 0;
        match self.watch.on_deadline(Instant::now(), is_output_full)? {
            Overdue::Ping => {
                self.is_ping_due = true;
                None
            }
            Overdue::Look => self.output.is_abandoned().then_some(Ok(Ending::Near)),
            Overdue::Drain => Some(Ok(Ending::Near)),
            Overdue::LastWords => Some(self.broken.take().map_or(Ok(Ending::Near), Err)),
            Overdue::Pong(silence) => Some(Err(RelayError::Silent {
                host: self.connection.host.clone(),
                seconds: silence.as_secs(),
            })),
        }
    }

    /// Moves whatever can be moved. Ready with the end, or with nothing if a deadline has changed.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Ending, RelayError>>> {
        loop {
            let is_sending = match self.poll_up(context) {
                Poll::Ready(Ok(Up::Sent)) => true,
                Poll::Ready(Ok(Up::InputEnded)) => {
                    self.watch.on_input_end(Instant::now());
                    return Poll::Ready(None);
                }
                Poll::Ready(Err(error)) => {
                    self.broken = Some(error);
                    self.watch.on_break(Instant::now());
                    return Poll::Ready(None);
                }
                Poll::Pending => false,
            };
            match self.poll_down(context) {
                Poll::Ready(Ok(Some(ending))) => return Poll::Ready(Some(Ok(ending))),
                Poll::Ready(Err(error)) => {
                    // That the far side has gone shows first where it is sent to, but that is not more of a reason.
                    let error = match (error, self.broken.take()) {
                        (RelayError::Dropped { .. }, Some(first)) => first,
                        (error, _) => error,
                    };
                    return Poll::Ready(Some(Err(error)));
                }
                Poll::Pending if !is_sending => return Poll::Pending,
                Poll::Ready(Ok(None)) | Poll::Pending => {}
            }
        }
    }

    /// Sends what is ready to be sent, and then takes in more: first what is owed, then from the input.
    fn poll_up(&mut self, context: &mut Context<'_>) -> Poll<Result<Up, RelayError>> {
        if self.broken.is_some() {
            return Poll::Pending;
        }
        ready!(self.poll_flush(context)).map_err(|source| self.dropped(source))?;
        if let Some(payload) = self.pong.take() {
            self.encrypt_control(Opcode::Pong, &payload)?;
        } else if std::mem::take(&mut self.is_ping_due) {
            self.encrypt_control(Opcode::Ping, &[])?;
            self.watch.on_ping(Instant::now());
        } else if self.watch.has_input_ended() {
            return Poll::Pending;
        } else {
            let mut payload = ReadBuf::new(self.outgoing.payload_mut());
            let read = ready!(Pin::new(&mut self.input).poll_read(context, &mut payload));
            let length = payload.filled().len();
            // An input that fails has ended: ssh is gone.
            if read.is_err() || length == 0 {
                return Poll::Ready(Ok(Up::InputEnded));
            }
            self.encrypt_input(length)?;
        }
        // Most often the socket takes it at once.
        match self.poll_flush(context) {
            Poll::Ready(Err(source)) => Poll::Ready(Err(self.dropped(source))),
            _ => Poll::Ready(Ok(Up::Sent)),
        }
    }

    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Connection { tcp, records, .. } = &mut self.connection;
        while !records.outgoing.is_empty() {
            let written =
                ready!(Pin::new(&mut *tcp).poll_write(context, records.outgoing.filled()))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            records.outgoing.remove(written);
        }
        Poll::Ready(Ok(()))
    }

    fn encrypt_control(&mut self, opcode: Opcode, payload: &[u8]) -> Result<(), RelayError> {
        let records = &mut self.connection.records;
        let sent = self.outgoing.send_control(opcode, payload, |frame| {
            records.send(frame).map_err(invalid)
        });
        sent.map_err(|source| self.dropped(source))
    }

    /// Makes messages of what was read from the input, and encrypts them, to be sent in as few turns as the socket allows.
    fn encrypt_input(&mut self, length: usize) -> Result<(), RelayError> {
        let records = &mut self.connection.records;
        let sent = self
            .outgoing
            .send_messages(length, |frame| records.send(frame).map_err(invalid));
        sent.map_err(|source| self.dropped(source))
    }

    /// Passes on what has come, and takes in more once there is room for it. Ready with nothing if something has moved.
    fn poll_down(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Ending>, RelayError>> {
        let was_owing = self.pong.is_some();
        if let Some(ending) = self.deliver(context)? {
            return Poll::Ready(Ok(Some(ending)));
        }
        if self.pong.is_some() && !was_owing {
            // A pong is sent at once, and not when something happens next.
            return Poll::Ready(Ok(None));
        }
        let Connection {
            tcp,
            records,
            plain,
            capacity,
            ..
        } = &mut self.connection;
        if self.lost.is_some() || records.is_closed() {
            if self.deliverable > 0 {
                return Poll::Pending;
            }
            let source = self.lost.take();
            let source = source.unwrap_or_else(|| io::ErrorKind::UnexpectedEof.into());
            return Poll::Ready(Err(self.dropped(source)));
        }
        if plain.room_left() < capacity.incoming_bytes() {
            // The output holds it up, and wakes this task when it takes more.
            return Poll::Pending;
        }
        let mut room = ReadBuf::new(records.incoming.room());
        let read = ready!(Pin::new(tcp).poll_read(context, &mut room));
        let length = room.filled().len();
        self.watch.on_bytes();
        self.lost = match read {
            Err(source) => Some(source),
            Ok(()) if length == 0 => Some(io::ErrorKind::UnexpectedEof.into()),
            Ok(()) => {
                records.incoming.add(length);
                records.receive(plain).map_err(invalid).err()
            }
        };
        Poll::Ready(Ok(None))
    }

    /// Writes what there is of payload to the output, as much as it takes, and answers to control frames.
    fn deliver(&mut self, context: &mut Context<'_>) -> Result<Option<Ending>, RelayError> {
        loop {
            let plain = &mut self.connection.plain;
            while self.deliverable > 0 {
                let bytes = plain.filled();
                let bytes = bytes.get(..self.deliverable).unwrap_or(bytes);
                match Pin::new(&mut self.output).poll_write(context, bytes) {
                    Poll::Ready(Ok(written @ 1..)) => {
                        plain.remove(written);
                        self.deliverable = self.deliverable.saturating_sub(written);
                    }
                    // The reader of our output has gone.
                    Poll::Ready(_) => return Ok(Some(Ending::Near)),
                    Poll::Pending => return Ok(None),
                }
            }
            let (length, event) = match self.decoder.next(plain.filled()) {
                Ok(next) => next,
                Err(reason) => {
                    return Err(RelayError::NotARelay {
                        host: self.connection.host.clone(),
                        reason: reason.to_owned(),
                    });
                }
            };
            match event {
                Event::More => return Ok(None),
                Event::Data(bytes) if !bytes.is_empty() => {
                    // It stays where it is until the output has taken it.
                    self.deliverable = bytes.len();
                    continue;
                }
                Event::Data(_) | Event::Pong => {}
                Event::Ping(payload) => self.pong = Some(payload),
                Event::Close(1000 | 1005, _) => return Ok(Some(Ending::Far)),
                Event::Close(code, reason) => {
                    let reason = reason.into();
                    return Err(RelayError::Closed { code, reason });
                }
            }
            plain.remove(length);
        }
    }

    /// Closes the connection: sends what is pending, a close frame, the end of TLS, the end of TCP.
    fn poll_close(
        &mut self,
        context: &mut Context<'_>,
        code: u16,
        is_said: &mut bool,
    ) -> Poll<io::Result<()>> {
        if self.broken.is_none() {
            ready!(self.poll_flush(context))?;
            if !std::mem::replace(is_said, true)
                && self
                    .encrypt_control(Opcode::Close, &code.to_be_bytes())
                    .is_ok()
            {
                self.connection.records.close();
                ready!(self.poll_flush(context))?;
            }
        }
        ready!(Pin::new(&mut self.output).poll_flush(context))?;
        Pin::new(&mut self.connection.tcp).poll_shutdown(context)
    }

    fn dropped(&self, source: io::Error) -> RelayError {
        RelayError::Dropped {
            host: self.connection.host.clone(),
            source,
        }
    }
}

/// What was done about sending.
enum Up {
    InputEnded,
    Sent,
}
