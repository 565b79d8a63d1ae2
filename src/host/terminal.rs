//! Reads long pasted lines from a terminal.
//!
//! A terminal passes on at most 4,095 characters of a line and drops the rest, but the address at the end of a sign-in may
//! be longer. So this reads characters as they are typed (non-canonical mode, `termios(3)`), and then restores the terminal.

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

/// The maximum length of a line, in bytes; the rest of a longer one is dropped.
pub(crate) const MAX_LINE_BYTES: usize = 64 * 1024;
/// How many bytes to read at a time.
const CHUNK_BYTES: usize = 4096;
/// How often to check whether this job is in the foreground again.
const FOREGROUND_POLL: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 500_000_000,
};
/// The exit status that shells report for a program terminated by Ctrl-C.
const INTERRUPTED: i32 = 130;

/// Standard input as a terminal that passes on lines longer than 4,095 characters until this is dropped.
#[derive(Debug)]
pub(crate) struct LongLines {
    read: mpsc::Receiver<Chunk>,
    /// Closed on drop, so that the reading thread ends and takes no input from the next reader.
    _reading: OwnedFd,
    before: Arc<Before>,
    line: Line,
    /// Bytes that were read but not processed yet.
    pending: Zeroizing<Vec<u8>>,
}

type Chunk = io::Result<Zeroizing<Vec<u8>>>;

/// The original settings of the terminal.
#[derive(Debug)]
struct Before {
    terminal: OwnedFd,
    settings: Mutex<Option<Termios>>,
}

impl LongLines {
    /// Starts to read from the terminal at standard input. Call it within a tokio runtime.
    ///
    /// From now on, Ctrl-C and SIGTERM restore the terminal and end this process with exit status 130.
    ///
    /// # Errors
    /// The system's error; [`io::ErrorKind::ResourceBusy`] if another job is in the foreground.
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

    /// Returns the next line without its newline; `None` once the terminal is closed or the user types Ctrl-D.
    ///
    /// # Errors
    /// The system's error.
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
    /// Restores the terminal, once. Leaves it alone while another job is in the foreground.
    fn restore(&self) {
        let mut settings = self.settings.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(settings) = settings.take()
            && is_in_foreground(&self.terminal)
        {
            // A closed terminal needs no restoring.
            let _restored = tcsetattr(&self.terminal, OptionalActions::Now, &settings);
        }
    }
}

/// Restores the terminal on a signal, and then ends this process as the default action would.
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

/// Reads until the other end of `stop` or the terminal is closed.
fn read_until_stopped(terminal: &OwnedFd, stop: &OwnedFd, chunks: &mpsc::Sender<Chunk>) {
    while let Some(chunk) = read_chunk(terminal, stop).transpose() {
        let is_last = chunk.is_err();
        if chunks.blocking_send(chunk).is_err() || is_last {
            return;
        }
    }
}

/// Reads the next input; `None` if the other end of `stop` or the terminal is closed.
fn read_chunk(terminal: &OwnedFd, stop: &OwnedFd) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    loop {
        let mut waited = [
            PollFd::new(stop, PollFlags::IN),
            PollFd::new(terminal, PollFlags::IN),
        ];
        retry_on_intr(|| poll(&mut waited, None))?;
        // The system stops a background job that reads.
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
            // The terminal is closed.
            Ok(0) | Err(Errno::IO) => Ok(None),
            Ok(length) => {
                bytes.truncate(length);
                Ok(Some(bytes))
            }
            Err(error) => Err(error.into()),
        };
    }
}

/// Erases this many columns of echoed text from the screen.
fn erase(columns: usize) {
    // If this fails, the characters are still erased from the line.
    let _shown = io::stderr().write_all("\u{8} \u{8}".repeat(columns).as_bytes());
}

/// A line being typed, with the editing that the terminal provides in canonical mode.
#[derive(Debug, Default)]
struct Line {
    typed: Zeroizing<Vec<u8>>,
}

/// The effect of a typed byte.
#[derive(Debug, Eq, PartialEq)]
enum Typed {
    Character,
    /// The user typed Ctrl-D: end of input.
    End,
    /// The user erased text; it and the echoed key take this many columns on the screen.
    Erased {
        echoed: usize,
    },
    Line(Zeroizing<Vec<u8>>),
}

impl Line {
    fn push(&mut self, byte: u8) -> Typed {
        /// The width of an echoed control character: `^U`.
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
