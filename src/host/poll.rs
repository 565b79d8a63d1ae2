//! Waits for a handful of descriptors with `poll(2)`, in a process that has nothing else to do.
//!
//! A runtime that can wait for thousands of events needs time to find the one that occurred: a twentieth of the round trip
//! of each relayed ping. Reads and writes here are polled like any other future; only the wait is different.

use std::cell::Cell;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

/// How often to read or write one descriptor per turn, before deadlines and the other descriptors are checked.
const CALLS_A_TURN: u8 = 64;

/// Waits for descriptors.
#[derive(Debug, Default)]
pub(crate) struct Poller {
    watched: Vec<Rc<Shared>>,
}

/// A descriptor in non-blocking mode that a [`Poller`] waits for. It can be read and written only within [`Poller::until`].
#[derive(Debug)]
pub(crate) struct Watched {
    shared: Rc<Shared>,
}

#[derive(Debug)]
struct Shared {
    descriptor: OwnedFd,
    /// The operations that will not block, as far as is known.
    ready: Cell<PollFlags>,
    /// The operations to wait for.
    wanted: Cell<PollFlags>,
    calls_left: Cell<u8>,
}

impl Poller {
    /// Watches a descriptor, which must be in non-blocking mode.
    pub(crate) fn watch(&mut self, descriptor: OwnedFd) -> Watched {
        let shared = Rc::new(Shared {
            descriptor,
            ready: Cell::new(PollFlags::IN | PollFlags::OUT),
            wanted: Cell::new(PollFlags::empty()),
            calls_left: Cell::new(0),
        });
        self.watched.push(Rc::clone(&shared));
        Watched { shared }
    }

    /// Polls a job until it is ready: whenever it is pending, waits for one of the descriptors that block it. Returns `None`
    /// once the deadline has passed.
    ///
    /// This blocks the thread, so that a runtime on it makes no progress, and the job's waker does nothing.
    pub(crate) fn until<T>(
        &self,
        deadline: Instant,
        mut job: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Option<T> {
        let mut context = Context::from_waker(Waker::noop());
        loop {
            for shared in &self.watched {
                shared.wanted.set(PollFlags::empty());
                shared.calls_left.set(CALLS_A_TURN);
            }
            if let Poll::Ready(done) = job(&mut context) {
                return Some(done);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            let limit = Timespec::try_from(left).ok();
            let mut polled: Vec<_> = self.wanted().map(Shared::to_poll).collect();
            // If a signal interrupted the call, the events are undefined.
            if poll(&mut polled, limit.as_ref()).is_ok() {
                for (shared, polled) in self.wanted().zip(&polled) {
                    shared.on_events(polled.revents());
                }
            }
        }
    }

    /// Returns the descriptors to wait for. Any other that was hung up would end every wait at once.
    fn wanted(&self) -> impl Iterator<Item = &Shared> {
        let watched = self.watched.iter().map(AsRef::as_ref);
        watched.filter(|shared: &&Shared| !shared.wanted.get().is_empty())
    }
}

impl Shared {
    fn to_poll(&self) -> PollFd<'_> {
        PollFd::new(&self.descriptor, self.wanted.get())
    }

    fn on_events(&self, events: PollFlags) {
        let is_broken = events.intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL);
        // The next read or write reports what happened to it.
        let ready = if is_broken { self.wanted.get() } else { events };
        self.ready.set(self.ready.get() | ready);
    }

    /// Reads or writes if the descriptor is ready; otherwise registers it for the next wait.
    fn attempt(
        &self,
        event: PollFlags,
        wanted_bytes: usize,
        mut call: impl FnMut(&OwnedFd) -> rustix::io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        while self.ready.get().contains(event)
            && let Some(calls_left) = self.calls_left.get().checked_sub(1)
        {
            self.calls_left.set(calls_left);
            match call(&self.descriptor) {
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => self.ready.set(self.ready.get() - event),
                Err(error) => return Poll::Ready(Err(error.into())),
                Ok(bytes) => {
                    if bytes < wanted_bytes {
                        // A short count: another call would only fail with EAGAIN.
                        self.ready.set(self.ready.get() - event);
                    }
                    return Poll::Ready(Ok(bytes));
                }
            }
        }
        self.wanted.set(self.wanted.get() | event);
        Poll::Pending
    }
}

impl Watched {
    /// Returns whether this is the write end of a pipe whose read end is closed.
    #[must_use]
    pub(crate) fn has_no_reader(&self) -> bool {
        has_no_reader(&self.shared.descriptor)
    }
}

/// Returns whether this is the write end of a pipe whose read end is closed.
pub(super) fn has_no_reader(descriptor: &impl AsFd) -> bool {
    let mut polled = [PollFd::new(descriptor, PollFlags::empty())];
    let at_once = Timespec::default();
    let answer = poll(&mut polled, Some(&at_once));
    let [polled] = polled;
    answer.is_ok() && polled.revents().contains(PollFlags::ERR)
}

impl AsyncRead for Watched {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let room = buffer.initialize_unfilled();
        let read = self
            .shared
            .attempt(PollFlags::IN, room.len(), |descriptor| {
                rustix::io::read(descriptor, &mut *room)
            });
        read.map_ok(|length| buffer.advance(length))
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.shared
            .attempt(PollFlags::OUT, bytes.len(), |descriptor| {
                rustix::io::write(descriptor, bytes)
            })
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Shuts down our half of a connection. A pipe has no halves, and closes when it is dropped.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        use rustix::net::{Shutdown, shutdown};
        Poll::Ready(match shutdown(&self.shared.descriptor, Shutdown::Write) {
            Err(Errno::NOTSOCK) | Ok(()) => Ok(()),
            Err(error) => Err(error.into()),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{Read as _, Write as _};
    use std::thread;
    use std::time::Duration;

    use super::*;

    const MOMENT: Duration = Duration::from_millis(50);

    fn pipe() -> (OwnedFd, OwnedFd) {
        rustix::pipe::pipe_with(rustix::pipe::PipeFlags::NONBLOCK).unwrap()
    }

    fn soon() -> Instant {
        Instant::now() + MOMENT
    }

    /// Reads up to eight bytes, within `until`.
    fn read(from: &mut Watched, context: &mut Context<'_>) -> Poll<io::Result<Vec<u8>>> {
        let mut room = [0; 8];
        let mut buffer = ReadBuf::new(&mut room);
        Pin::new(from)
            .poll_read(context, &mut buffer)
            .map_ok(|()| buffer.filled().to_vec())
    }

    #[test]
    fn what_is_written_later_is_waited_for_and_so_is_the_end() {
        let mut poller = Poller::default();
        let (reader, writer) = pipe();
        let mut reader = poller.watch(reader);
        let writing = thread::spawn(move || {
            let mut writer = File::from(writer);
            for word in [&b"first"[..], b"second"] {
                thread::sleep(MOMENT);
                writer.write_all(word).unwrap();
            }
        });
        let limit = Instant::now() + 2_400 * MOMENT;
        for expected in [&b"first"[..], b"second", b""] {
            let read = poller.until(limit, |context| read(&mut reader, context));
            assert_eq!(read.unwrap().unwrap(), expected);
        }
        writing.join().unwrap();
    }

    #[test]
    fn a_full_pipe_is_written_to_once_there_is_room() {
        let mut poller = Poller::default();
        let (reader, writer) = pipe();
        let mut writer = poller.watch(writer);
        let bytes = vec![7; 1 << 20];
        let limit = Instant::now() + 2_400 * MOMENT;
        let mut sent = 0;
        let fill = |writer: &mut Watched, context: &mut Context<'_>, sent: &mut usize| {
            while *sent < bytes.len() {
                match Pin::new(&mut *writer).poll_write(context, &bytes[*sent..]) {
                    Poll::Ready(written) => *sent += written.unwrap(),
                    Poll::Pending => return Poll::Pending,
                }
            }
            Poll::Ready(())
        };
        let ended = poller.until(soon(), |context| fill(&mut writer, context, &mut sent));
        assert_eq!(ended, None, "the reader is gone");
        let reading = thread::spawn(move || {
            let mut taken = vec![0; 1 << 20];
            rustix::io::ioctl_fionbio(&reader, false).unwrap();
            File::from(reader).read_exact(&mut taken).unwrap();
            taken
        });
        let ended = poller.until(limit, |context| fill(&mut writer, context, &mut sent));
        assert_eq!(ended, Some(()));
        assert!(reading.join().unwrap() == bytes);
        assert!(writer.has_no_reader());
    }

    #[test]
    fn a_descriptor_that_nobody_waits_for_ends_no_wait() {
        let mut poller = Poller::default();
        let (hung_up, writer) = pipe();
        let _hung_up = poller.watch(hung_up);
        drop(writer);
        let (silent, _writer) = pipe();
        let mut silent = poller.watch(silent);
        let mut turns = 0;
        let begun = Instant::now();
        let ended = poller.until(soon(), |context| {
            turns += 1;
            read(&mut silent, context).map(drop)
        });
        // Only one if this thread was delayed before it could wait.
        assert!(ended.is_none() && turns <= 2, "{turns}");
        assert!(begun.elapsed() >= MOMENT);
    }

    #[test]
    fn the_deadline_holds_however_much_there_is_to_do() {
        let mut poller = Poller::default();
        let mut endless = poller.watch(File::open("/dev/zero").unwrap().into());
        let ended = poller.until(soon(), |context| -> Poll<()> {
            while read(&mut endless, context).is_ready() {}
            Poll::Pending
        });
        assert_eq!(ended, None);
    }

    #[test]
    fn what_breaks_is_told_by_reading_or_writing() {
        let mut poller = Poller::default();
        let (reader, writer) = pipe();
        let mut writer = poller.watch(writer);
        drop(reader);
        let written = poller.until(soon(), |context| {
            Pin::new(&mut writer).poll_write(context, b"unread")
        });
        let error = written.unwrap().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }
}
