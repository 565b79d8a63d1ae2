//! A terminal that a user pastes into.
//!
//! A terminal hands on at most 4,095 characters of a line and drops the rest, and the address at which a sign-in ends may be
//! longer. So lines are read here as they are typed (non-canonical mode, `termios(3)`), and the terminal is put back as it was.

use std::io::{self, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, retry_on_intr};
use rustix::process::getpgrp;
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetpgrp, tcsetattr,
};
use tokio::sync::mpsc;
use zeroize::Zeroizing;

use super::interrupts::Interrupts;

/// The longest line that is kept, in bytes; the rest of a longer one is dropped.
pub(crate) const MAX_LINE_BYTES: usize = 64 * 1024;
/// How many bytes are read at a time.
const CHUNK_BYTES: usize = 4096;
/// How often to check whether the terminal is ours again, while another job has it.
const FOREGROUND_POLL: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 500_000_000,
};
/// The exit status of a program that Ctrl-C has ended, as shells have it.
const INTERRUPTED: i32 = 130;

/// Standard input, a terminal that hands on lines of any length until this is dropped.
#[derive(Debug)]
pub(crate) struct LongLines {
    read: mpsc::Receiver<Chunk>,
    /// Closed when this is dropped: then the thread that reads ends, and takes nothing from whoever reads next.
    _reading: OwnedFd,
    before: Arc<Before>,
    line: Line,
    /// What was read and not looked at yet.
    pending: Zeroizing<Vec<u8>>,
}

type Chunk = io::Result<Zeroizing<Vec<u8>>>;

/// How the terminal was before.
#[derive(Debug)]
struct Before {
    terminal: OwnedFd,
    settings: Mutex<Option<Termios>>,
}

impl LongLines {
    /// Begins to read from the terminal at standard input. Call it within a tokio runtime.
    ///
    /// From now on Ctrl-C and SIGTERM end this process with exit status 130, after the terminal was put back.
    ///
    /// # Errors
    /// What the system says; [`io::ErrorKind::ResourceBusy`] while another job has the terminal.
    pub(crate) fn open() -> io::Result<Self> {
        let terminal = io::stdin().as_fd().try_clone_to_owned()?;
        if !is_in_foreground(&terminal) {
            return Err(io::ErrorKind::ResourceBusy.into());
        }
        let settings = tcgetattr(&terminal)?;
        let interrupts = Interrupts::open()?;
        let before = Arc::new(Before {
            terminal,
            settings: Mutex::new(Some(settings.clone())),
        });
        tokio::spawn(end_when_interrupted(interrupts, Arc::clone(&before)));
        let settings = without_line_limit(settings);
        tcsetattr(&before.terminal, OptionalActions::Now, &settings)?;
        let (sender, read) = mpsc::channel(1);
        let (stop, reading) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        let terminal = before.terminal.try_clone()?;
        thread::Builder::new().spawn(move || read_until_stopped(&terminal, &stop, &sender))?;
        Ok(Self {
            read,
            _reading: reading,
            before,
            line: Line::default(),
            pending: Zeroizing::default(),
        })
    }

    /// Returns the next line without its end; `None` once the terminal is closed or Ctrl-D was typed.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) async fn next(&mut self) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
        loop {
            let pending = std::mem::take(&mut self.pending);
            for (index, &byte) in pending.iter().enumerate() {
                match self.line.push(byte) {
                    Typed::Character => {}
                    Typed::Erased { echoed } => erase(echoed),
                    Typed::Line(line) => {
                        let rest = pending.get(index + 1..).unwrap_or_default();
                        self.pending = Zeroizing::new(rest.to_vec());
                        return Ok(Some(line));
                    }
                    Typed::End => return Ok(None),
                }
            }
            self.pending = match self.read.recv().await {
                None => return Ok(None),
                Some(Err(error)) => return Err(error),
                Some(Ok(chunk)) => chunk,
            };
        }
    }
}

impl Drop for LongLines {
    fn drop(&mut self) {
        self.before.restore();
    }
}

impl Before {
    /// Puts the terminal back, once. While another job has it, that job's settings hold.
    fn restore(&self) {
        let mut settings = self.settings.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(settings) = settings.take()
            && is_in_foreground(&self.terminal)
        {
            // A terminal that has gone needs nothing.
            let _restored = tcsetattr(&self.terminal, OptionalActions::Now, &settings);
        }
    }
}

/// Does what the system would do by itself if nobody listened, and puts the terminal back before.
#[expect(
    clippy::exit,
    reason = "the signal would have ended the process, and now ends only the wait for it"
)]
async fn end_when_interrupted(mut interrupts: Interrupts, before: Arc<Before>) {
    interrupts.next().await;
    before.restore();
    std::process::exit(INTERRUPTED);
}

fn without_line_limit(mut settings: Termios) -> Termios {
    settings.local_modes.remove(LocalModes::ICANON);
    settings.special_codes[SpecialCodeIndex::VMIN] = 1;
    settings.special_codes[SpecialCodeIndex::VTIME] = 0;
    settings
}

fn is_in_foreground(terminal: &OwnedFd) -> bool {
    tcgetpgrp(terminal).is_ok_and(|group| group == getpgrp())
}

/// Reads until the other end of `stop` is closed, or the terminal is.
fn read_until_stopped(terminal: &OwnedFd, stop: &OwnedFd, chunks: &mpsc::Sender<Chunk>) {
    while let Some(chunk) = read_chunk(terminal, stop).transpose() {
        let is_last = chunk.is_err();
        if chunks.blocking_send(chunk).is_err() || is_last {
            return;
        }
    }
}

/// Reads what is typed next; `None` if the other end of `stop` is closed, or the terminal is.
fn read_chunk(terminal: &OwnedFd, stop: &OwnedFd) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    loop {
        let mut waited = [
            PollFd::new(stop, PollFlags::IN),
            PollFd::new(terminal, PollFlags::IN),
        ];
        retry_on_intr(|| poll(&mut waited, None))?;
        // The system stops a job in the background that reads.
        if !is_in_foreground(terminal) {
            let mut waited = [PollFd::new(stop, PollFlags::IN)];
            retry_on_intr(|| poll(&mut waited, Some(&FOREGROUND_POLL)))?;
        }
        let [stop, input] = &waited;
        if !stop.revents().is_empty() {
            return Ok(None);
        }
        if input.revents().is_empty() || !is_in_foreground(terminal) {
            continue;
        }
        let mut bytes = Zeroizing::new(vec![0; CHUNK_BYTES]);
        return match retry_on_intr(|| rustix::io::read(terminal, &mut bytes[..])) {
            // The terminal has gone.
            Ok(0) | Err(Errno::IO) => Ok(None),
            Ok(length) => {
                bytes.truncate(length);
                Ok(Some(bytes))
            }
            Err(error) => Err(error.into()),
        };
    }
}

/// Takes so many columns of what the terminal has echoed off the screen.
fn erase(columns: usize) {
    // What cannot be shown is erased all the same.
    let _shown = io::stderr().write_all("\u{8} \u{8}".repeat(columns).as_bytes());
}

/// A line that is being typed, with the editing that the terminal does otherwise.
#[derive(Debug, Default)]
struct Line {
    typed: Zeroizing<Vec<u8>>,
}

/// What a byte has done.
#[derive(Debug, Eq, PartialEq)]
enum Typed {
    Character,
    /// The terminal is closed, as far as the user is concerned.
    End,
    /// Something was erased; of it and of the key this many columns are on the screen.
    Erased {
        echoed: usize,
    },
    Line(Zeroizing<Vec<u8>>),
}

impl Line {
    fn push(&mut self, byte: u8) -> Typed {
        /// What a terminal shows of a control character: `^U`.
        const KEY_COLUMNS: usize = 2;
        match byte {
            b'\n' | b'\r' => Typed::Line(std::mem::take(&mut self.typed)),
            // Ctrl-D
            0x04 if self.typed.is_empty() => Typed::End,
            // Backspace, under either of its codes
            0x08 | 0x7f => {
                let erased = usize::from(self.erase_character());
                Typed::Erased {
                    echoed: KEY_COLUMNS + erased,
                }
            }
            // Ctrl-U
            0x15 => {
                let mut echoed = KEY_COLUMNS;
                while self.erase_character() {
                    echoed += 1;
                }
                Typed::Erased { echoed }
            }
            _ if self.typed.len() < MAX_LINE_BYTES => {
                self.typed.push(byte);
                Typed::Character
            }
            _ => Typed::Character,
        }
    }

    /// Erases the last character, which is one to four bytes of UTF-8.
    fn erase_character(&mut self) -> bool {
        let is_continued = |byte: u8| byte & 0xc0 == 0x80;
        let mut erased = false;
        while let Some(byte) = self.typed.pop() {
            erased = true;
            if !is_continued(byte) {
                break;
            }
        }
        erased
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(bytes: &[u8]) -> Vec<Typed> {
        let mut line = Line::default();
        let all = bytes.iter().map(|&byte| line.push(byte));
        all.filter(|typed| *typed != Typed::Character).collect()
    }

    fn line(text: impl AsRef<[u8]>) -> Typed {
        Typed::Line(Zeroizing::new(text.as_ref().to_vec()))
    }

    #[test]
    fn a_line_is_kept_up_to_the_limit_and_no_further() {
        let longest = vec![b'x'; MAX_LINE_BYTES];
        assert_eq!(typed(&[&longest[..], b"\n"].concat()), [line(&longest)]);
        assert_eq!(typed(&[&longest[..], b"y\n"].concat()), [line(&longest)]);
    }

    #[test]
    fn a_line_is_edited_as_a_terminal_would() {
        let erased = |echoed| Typed::Erased { echoed };
        assert_eq!(typed(b"ab\x7fc\n"), [erased(3), line("ac")]);
        assert_eq!(typed("aä\u{8}\n".as_bytes()), [erased(3), line("a")]);
        assert_eq!(typed(b"abc\x15d\r"), [erased(5), line("d")]);
        assert_eq!(typed(b"\x7f\n"), [erased(2), line("")]);
        assert_eq!(typed(b"a\nb\n"), [line("a"), line("b")]);
    }

    #[test]
    fn the_end_of_transmission_counts_at_the_beginning_of_a_line() {
        assert_eq!(typed(b"\x04"), [Typed::End]);
        assert_eq!(typed(b"a\n\x04"), [line("a"), Typed::End]);
        assert_eq!(typed(b"a\x04\n"), [line("a\u{4}")]);
    }
}
