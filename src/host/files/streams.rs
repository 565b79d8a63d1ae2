//! Pipes, terminals and other devices, which we wait for and never replace.

use std::fs::File;
use std::io;
use std::path::Path;
use std::time::Duration;

/// How long to wait for a pipe or device.
const LIMIT: Duration = Duration::from_secs(10);

/// Opens a file for reading, without waiting for a writer.
pub(super) fn open(path: &Path) -> io::Result<File> {
    imp::open(path)
}

/// Reads a stream to its end within ten seconds, but at most `limit` bytes and one more.
pub(super) fn read(stream: &File, limit: usize) -> io::Result<Vec<u8>> {
    imp::read(stream, limit, LIMIT)
}

/// Writes to a pipe or device, and waits up to ten seconds for a reader.
pub(super) fn write(path: &Path, contents: &[u8]) -> io::Result<()> {
    imp::write(path, contents, LIMIT)
}

#[cfg(unix)]
mod imp {
    use std::fs::{File, OpenOptions};
    use std::io::{self, Read as _, Write as _};
    use std::os::fd::AsFd as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    use std::path::Path;
    use std::thread::sleep;
    use std::time::{Duration, Instant};

    use rustix::event::{PollFd, PollFlags, poll};
    use rustix::fs::OFlags;
    use zeroize::Zeroizing;

    /// How often to check for a reader of a pipe.
    const POLL: Duration = Duration::from_millis(20);

    fn without_waiting() -> i32 {
        (OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed()
    }

    pub(super) fn open(path: &Path) -> io::Result<File> {
        OpenOptions::new()
            .read(true)
            .custom_flags(without_waiting())
            .open(path)
    }

    pub(super) fn read(mut stream: &File, limit: usize, patience: Duration) -> io::Result<Vec<u8>> {
        let deadline = Instant::now() + patience;
        let mut bytes = Vec::new();
        let mut part = Zeroizing::new([0; 8192]);
        while bytes.len() <= limit {
            wait(stream, PollFlags::IN, deadline)?;
            match stream.read(&mut *part) {
                Ok(0) => break,
                Ok(length) => bytes.extend_from_slice(part.get(..length).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(bytes)
    }

    pub(super) fn write(path: &Path, contents: &[u8], patience: Duration) -> io::Result<()> {
        let deadline = Instant::now() + patience;
        let mut stream = loop {
            let opened = OpenOptions::new()
                .append(true)
                .custom_flags(without_waiting())
                .open(path);
            match opened {
                // The pipe has no reader yet.
                Err(error)
                    if error.raw_os_error() == Some(rustix::io::Errno::NXIO.raw_os_error())
                        && Instant::now() < deadline =>
                {
                    sleep(POLL);
                }
                opened => break opened?,
            }
        };
        let mut rest = contents;
        while !rest.is_empty() {
            wait(&stream, PollFlags::OUT, deadline)?;
            match stream.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(length) => rest = rest.get(length..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Waits until a stream is readable or writable, or has ended.
    fn wait(stream: &File, wanted: PollFlags, deadline: Instant) -> io::Result<()> {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = left.try_into().map_err(io::Error::other)?;
        match poll(
            &mut [PollFd::from_borrowed_fd(stream.as_fd(), wanted)],
            Some(&left),
        ) {
            Ok(0) => Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "the other end is closed",
            )),
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    #[cfg(test)]
    mod tests {
        use std::thread;

        use super::*;

        fn pipe() -> (tempfile::TempDir, std::path::PathBuf) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("pipe");
            let mode = rustix::fs::Mode::from_raw_mode(0o600);
            rustix::fs::mkfifoat(rustix::fs::CWD, &path, mode).unwrap();
            (folder, path)
        }

        #[test]
        fn a_pipe_that_nobody_is_at_is_not_waited_for_for_ever() {
            let (_folder, path) = pipe();
            let moment = Duration::from_millis(50);
            let refusal = read(&open(&path).unwrap(), 10, moment).unwrap_err();
            assert_eq!(refusal.kind(), io::ErrorKind::TimedOut);
            assert!(write(&path, b"x", moment).is_err());
        }

        #[test]
        fn what_goes_into_a_pipe_comes_out_of_it() {
            let (_folder, path) = pipe();
            let contents = vec![7; 1_000_000];
            let minute = Duration::from_secs(60);
            let writer = thread::spawn({
                let (path, contents) = (path.clone(), contents.clone());
                move || write(&path, &contents, minute)
            });
            let read = read(&open(&path).unwrap(), contents.len(), minute).unwrap();
            assert!(read == contents);
            writer.join().unwrap().unwrap();
        }

        #[test]
        fn an_endless_device_is_read_up_to_the_limit() {
            let zeros = read(&open(Path::new("/dev/zero")).unwrap(), 10_000, POLL * 3000);
            assert!((10_001..30_000).contains(&zeros.unwrap().len()));
        }
    }
}

#[cfg(not(unix))]
mod imp {
    use std::fs::{File, OpenOptions};
    use std::io::{self, Read as _, Write as _};
    use std::path::Path;
    use std::time::Duration;

    pub(super) fn open(path: &Path) -> io::Result<File> {
        File::open(path)
    }

    pub(super) fn read(stream: &File, limit: usize, _patience: Duration) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let one_more = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
        stream.take(one_more).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    pub(super) fn write(path: &Path, contents: &[u8], _patience: Duration) -> io::Result<()> {
        OpenOptions::new()
            .append(true)
            .open(path)?
            .write_all(contents)
    }
}
