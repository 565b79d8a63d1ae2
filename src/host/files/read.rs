//! Reads entire files, up to a limit.

use std::fs::Metadata;
use std::io::{self, Read as _};
use std::path::Path;

use zeroize::Zeroizing;

use super::streams;
use super::text::decode_text;

/// Reads a file of at most `limit` bytes that the user names. It may be a pipe or a device, which must end in ten seconds.
///
/// # Errors
/// The system's error; [`io::ErrorKind::FileTooLarge`] if the file is longer than `limit`, and [`io::ErrorKind::TimedOut`]
/// if a pipe or device did not end.
pub(crate) fn read_capped(path: &Path, limit: usize) -> io::Result<Vec<u8>> {
    let file = streams::open(path)?;
    if file.metadata()?.is_file() {
        read_stream_capped(file, limit)
    } else {
        cap(streams::read(&file, limit)?, limit)
    }
}

/// Reads a text file of at most `limit` bytes. Returns `None` if the file does not exist.
///
/// # Errors
/// As [`read_capped`]; [`io::ErrorKind::InvalidData`] if the file is not text ([`decode_text`]).
pub(crate) fn read_text_if_there(path: &Path, limit: usize) -> io::Result<Option<String>> {
    let Some(bytes) = if_there(read_capped(path, limit))?.map(Zeroizing::new) else {
        return Ok(None);
    };
    match decode_text(&bytes) {
        Some(mut text) => Ok(Some(std::mem::take(&mut text))),
        None => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "neither UTF-8 nor UTF-16 text",
        )),
    }
}

/// Reads a regular file of at most `limit` bytes. Returns `None` if the file does not exist.
///
/// # Errors
/// The system's error; [`io::ErrorKind::FileTooLarge`] if the file is longer than `limit`, and
/// [`io::ErrorKind::InvalidInput`] if it is a pipe, a device or a folder.
pub(crate) fn read_if_there(path: &Path, limit: usize) -> io::Result<Option<Vec<u8>>> {
    if_there(read_regular(path, limit))
}

pub(super) fn read_regular(path: &Path, limit: usize) -> io::Result<Vec<u8>> {
    let file = streams::open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(not_regular(&metadata));
    }
    read_stream_capped(file, limit)
}

fn if_there<T>(read: io::Result<T>) -> io::Result<Option<T>> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

pub(super) fn not_regular(metadata: &Metadata) -> io::Error {
    let what = if metadata.is_dir() {
        "it is a folder"
    } else {
        "it is a pipe, a socket or a device, not a regular file"
    };
    io::Error::new(io::ErrorKind::InvalidInput, what)
}

/// Reads a stream to its end, at most `limit` bytes.
///
/// # Errors
/// As [`read_capped`].
pub(crate) fn read_stream_capped(stream: impl io::Read, limit: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let one_more = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    stream.take(one_more).read_to_end(&mut bytes)?;
    cap(bytes, limit)
}

fn cap(bytes: Vec<u8>, limit: usize) -> io::Result<Vec<u8>> {
    if bytes.len() > limit {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("longer than {limit} bytes"),
        ));
    }
    Ok(bytes)
}
