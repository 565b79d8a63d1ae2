//! Reads files up to a limit, and writes them atomically.

mod draft;
mod error;
mod leftovers;
mod links;
mod metadata;
mod read;
mod streams;
mod text;

use std::fs::{self, File, Metadata};
use std::io;
use std::path::Path;

pub(crate) use self::draft::{Access, Draft};
pub(crate) use self::error::{FileAction, FileError};
pub(crate) use self::metadata::{entries, is_same, modified, names};
pub(crate) use self::read::{read_capped, read_if_there, read_stream_capped, read_text_if_there};
pub(crate) use self::text::decode_text;

/// Returns whether a write failed because the disk is read-only or full.
#[must_use]
pub(crate) fn cannot_be_written(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::QuotaExceeded
            | io::ErrorKind::ReadOnlyFilesystem
            | io::ErrorKind::StorageFull
    )
}

/// Writes a file atomically: into a temporary file beside it that is synced and then renamed, so that a reader sees either
/// the old contents or the new ones. Follows a symbolic link and replaces its target. Removes temporary files that a killed
/// process left there while it wrote a private file.
///
/// # Errors
/// As [`Draft::new`] and [`Draft::keep`]; the old file is then unchanged.
pub(crate) fn write(path: &Path, contents: &[u8], access: Access) -> io::Result<()> {
    Draft::new(path, contents, access)?.keep()
}

/// Writes a file that the user names. Writes to a pipe, a terminal or another device, appends to an open file of this
/// process (`/dev/stdout`), and replaces a regular file as [`write()`] does, readable by all users.
///
/// # Errors
/// As [`write()`]; [`io::ErrorKind::TimedOut`] if a pipe has no reader within ten seconds.
pub(crate) fn write_named(path: &Path, contents: &[u8]) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(metadata) if is_stream(&metadata) || links::is_open_file(path) => {
            links::refuse_foreign_links(path)?;
            streams::write(path, contents)
        }
        _ => write(path, contents, Access::Public),
    }
}

#[cfg(unix)]
fn is_stream(metadata: &Metadata) -> bool {
    use std::os::unix::fs::FileTypeExt as _;
    let kind = metadata.file_type();
    kind.is_fifo() || kind.is_char_device()
}

#[cfg(not(unix))]
fn is_stream(_metadata: &Metadata) -> bool {
    false
}

/// Opens a file for appending, and creates it with mode 0600 if it does not exist. A pipe must have a reader.
///
/// # Errors
/// The system's error; [`io::ErrorKind::PermissionDenied`] for a link that another user created in a world-writable folder.
pub(crate) fn append_privately(path: &Path) -> io::Result<File> {
    links::refuse_foreign_links(path)?;
    let mut options = fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
        // Opening a pipe without a reader fails instead of blocking.
        options.custom_flags((OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed());
    }
    options.open(path)
}

/// Creates a folder and its parents, accessible only to the owner. Leaves an existing folder unchanged.
///
/// # Errors
/// The system's error; [`io::ErrorKind::PermissionDenied`] if the folder exists but other users may write to it.
pub(crate) fn make_private_folder(folder: &Path) -> io::Result<()> {
    private::make_folder(folder)
}

/// Returns whether this process runs as root and another user owns the file at `path`.
#[must_use]
pub(crate) fn is_foreign_to_root(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        rustix::process::geteuid().is_root()
            && fs::metadata(path).is_ok_and(|metadata| metadata.uid() != 0)
    }
    #[cfg(not(unix))]
    {
        let _not_told = path;
        false
    }
}

/// Restricts a file or socket to its owner: mode 0600.
///
/// # Errors
/// The system's error.
pub(crate) fn make_private(path: &Path) -> io::Result<()> {
    private::make_file(path)
}

/// Points a symbolic link at a path, and atomically replaces an existing link.
///
/// # Errors
/// The system's error; [`io::ErrorKind::AlreadyExists`] if something other than a link exists there.
#[cfg(unix)]
pub(crate) fn point_link(link: &Path, target: &Path) -> io::Result<()> {
    match fs::symlink_metadata(link) {
        Ok(there) if !there.is_symlink() => return Err(io::ErrorKind::AlreadyExists.into()),
        Ok(_) if fs::read_link(link)? == target => return Ok(()),
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut beside = link.as_os_str().to_owned();
    beside.push(format!(".{}", std::process::id()));
    remove_if_there(beside.as_ref())?;
    std::os::unix::fs::symlink(target, &beside)?;
    fs::rename(&beside, link)
}

/// Removes a file. A missing file is not an error.
///
/// # Errors
/// The system's error.
pub(crate) fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(unix)]
mod private {
    use std::fs;
    use std::io;
    use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
    use std::path::Path;

    pub(super) fn make_folder(folder: &Path) -> io::Result<()> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
        let metadata = fs::metadata(folder)?;
        if metadata.uid() != rustix::process::geteuid().as_raw() {
            return Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                "the folder belongs to another user",
            ));
        }
        if metadata.mode() & 0o022 != 0 {
            return Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                "other users may write to the folder: take that from them with chmod go-w",
            ));
        }
        Ok(())
    }

    pub(super) fn make_file(path: &Path) -> io::Result<()> {
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))
    }
}

#[cfg(not(unix))]
mod private {
    use std::fs;
    use std::io;
    use std::path::Path;

    /// On Windows, a folder in the user's profile is private by inheritance.
    pub(super) fn make_folder(folder: &Path) -> io::Result<()> {
        fs::create_dir_all(folder)
    }

    #[expect(clippy::unnecessary_wraps, reason = "the Unix twin can fail")]
    pub(super) fn make_file(_path: &Path) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(all(test, unix))]
mod tests;
