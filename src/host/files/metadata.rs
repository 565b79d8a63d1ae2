use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use crate::time::UnixTime;

/// Returns the paths of the entries of a folder, in no particular order; none if it cannot be read.
#[must_use]
pub(crate) fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

/// Returns the names of the entries of a folder, in no particular order; none if the folder does not exist.
///
/// # Errors
/// The system's error.
pub(crate) fn names(folder: &Path) -> io::Result<Vec<OsString>> {
    match fs::read_dir(folder) {
        Ok(entries) => Ok(entries.flatten().map(|entry| entry.file_name()).collect()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Returns whether two paths refer to the same file.
#[must_use]
pub(crate) fn is_same(one: &Path, other: &Path) -> bool {
    one == other
        || matches!((fs::canonicalize(one), fs::canonicalize(other)), (Ok(one), Ok(other)) if one == other)
}

/// Returns when a file was last modified, if the file system records it.
#[must_use]
pub(crate) fn modified(path: &Path) -> Option<UnixTime> {
    let time = fs::metadata(path).and_then(|metadata| metadata.modified());
    let since = time.ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(UnixTime::from_seconds(since.as_secs()))
}
