//! Files: read with a limit, written whole or not at all.

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

/// Tells whether the disk is why something could not be written: it is read-only or full.
#[must_use]
pub(crate) fn cannot_be_written(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::QuotaExceeded
            | io::ErrorKind::ReadOnlyFilesystem
            | io::ErrorKind::StorageFull
    )
}

/// Writes a file whole: into a sibling that is synced and then renamed, so that a reader sees the old text or the new
/// one and nothing between. A symbolic link is followed, and the file that it names is replaced. What a process has left that
/// was killed while it wrote a private file there is removed.
///
/// # Errors
/// As [`Draft::new`] and [`Draft::keep`]; the old file is then as it was.
pub(crate) fn write(path: &Path, contents: &[u8], access: Access) -> io::Result<()> {
    Draft::new(path, contents, access)?.keep()
}

/// Writes a file that the user names: into a pipe, a terminal or another device, or behind what is in an open file of this
/// process (`/dev/stdout`); a regular file as [`write()`] does, for everyone to read.
///
/// # Errors
/// As [`write()`]; [`io::ErrorKind::TimedOut`] if nobody reads from a pipe within ten seconds.
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

/// Opens a file to write at its end, made for the owner alone if it is not there. A pipe needs a reader.
///
/// # Errors
/// What the system says; [`io::ErrorKind::PermissionDenied`] for a link that another user has put into a folder that everyone may
/// write to.
pub(crate) fn append_privately(path: &Path) -> io::Result<File> {
    links::refuse_foreign_links(path)?;
    let mut options = fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
        // A pipe that nobody reads is refused, and not waited for.
        options.custom_flags((OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed());
    }
    options.open(path)
}

/// Makes a folder, and those above it, that only the owner may enter. A folder that is there stays as it is.
///
/// # Errors
/// What the system says; [`io::ErrorKind::PermissionDenied`] if the folder is there but others may write to it.
pub(crate) fn make_private_folder(folder: &Path) -> io::Result<()> {
    private::make_folder(folder)
}

/// Tells whether this process is root's, and something is there that is another user's.
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

/// Takes a file or socket away from everyone but its owner: 0600.
///
/// # Errors
/// What the system says.
pub(crate) fn make_private(path: &Path) -> io::Result<()> {
    private::make_file(path)
}

/// Points a symbolic link at a path, in place of the link that is there. A reader sees the old link or the new one.
///
/// # Errors
/// What the system says; [`io::ErrorKind::AlreadyExists`] if something else than a link is there.
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

/// Removes a file; that there is none is fine.
///
/// # Errors
/// What the system says.
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

    /// A user's profile folder is private on Windows by inheritance.
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
