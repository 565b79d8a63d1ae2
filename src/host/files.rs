//! Files: read with a limit, written whole or not at all.

mod leftovers;

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use tempfile::Builder;

use self::leftovers::UNFINISHED;

/// Reads a file of at most `limit` bytes.
///
/// # Errors
/// What the system says; [`io::ErrorKind::FileTooLarge`] if the file is longer than `limit`.
pub fn read_capped(path: &Path, limit: usize) -> io::Result<Vec<u8>> {
    read_stream_capped(File::open(path)?, limit)
}

/// Reads a text file of at most `limit` bytes, or nothing if there is no such file.
///
/// # Errors
/// As [`read_capped`]; [`io::ErrorKind::InvalidData`] if the file is not UTF-8.
pub fn read_text_if_there(path: &Path, limit: usize) -> io::Result<Option<String>> {
    read_if_there(path, limit)?
        .map(String::from_utf8)
        .transpose()
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// Reads a file of at most `limit` bytes, or nothing if there is no such file.
///
/// # Errors
/// As [`read_capped`].
pub fn read_if_there(path: &Path, limit: usize) -> io::Result<Option<Vec<u8>>> {
    match read_capped(path, limit) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Reads a stream to its end, at most `limit` bytes.
///
/// # Errors
/// As [`read_capped`].
pub fn read_stream_capped(stream: impl io::Read, limit: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let one_more = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    stream.take(one_more).read_to_end(&mut bytes)?;
    if bytes.len() > limit {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("longer than {limit} bytes"),
        ));
    }
    Ok(bytes)
}

/// Who may read a file that is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Access {
    /// The owner alone: 0600.
    Private,
    /// Everyone: 0644. For public keys and certificates that the user asked for by name.
    Public,
    /// Whoever may read the file that is there; the owner alone if there is none.
    AsBefore,
}

/// Writes a file whole: into a sibling that is synced and then renamed, so that a reader sees the old text or the new
/// one and nothing between. A symbolic link is followed, and the file that it names is replaced. What a process has left that
/// was killed while it wrote a private file there is removed.
///
/// # Errors
/// What the system says; the old file is then as it was.
pub fn write(path: &Path, contents: &[u8], access: Access) -> io::Result<()> {
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let folder = match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    // Created 0600, whatever the umask says.
    let mut file = Builder::new().prefix(UNFINISHED).tempfile_in(folder)?;
    leftovers::hold(file.as_file());
    file.write_all(contents)?;
    match access {
        Access::Private => {}
        Access::Public => make_public(file.as_file())?,
        Access::AsBefore => {
            if let Ok(before) = fs::metadata(&target) {
                file.as_file().set_permissions(before.permissions())?;
            }
        }
    }
    file.as_file().sync_all()?;
    let written = file.as_file().metadata()?.modified();
    file.persist(&target).map_err(|error| error.error)?;
    // In a folder of others, nothing is looked for: what is left there holds no secret.
    if let (Access::Private, Ok(written)) = (access, written) {
        leftovers::remove_from(folder, written);
    }
    Ok(())
}

/// Opens a file to write at its end, made for the owner alone if it is not there.
///
/// # Errors
/// What the system says.
pub fn append_privately(path: &Path) -> io::Result<File> {
    let mut options = fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.open(path)
}

/// Makes a folder, and those above it, that only the owner may enter. A folder that is there stays as it is.
///
/// # Errors
/// What the system says; [`io::ErrorKind::PermissionDenied`] if the folder is there but others may write to it.
pub fn make_private_folder(folder: &Path) -> io::Result<()> {
    private::make_folder(folder)
}

/// Takes a file or socket away from everyone but its owner: 0600.
///
/// # Errors
/// What the system says.
pub fn make_private(path: &Path) -> io::Result<()> {
    private::make_file(path)
}

/// Removes a socket that nobody listens on any more; that there is none is fine.
///
/// # Errors
/// What the system says; [`io::ErrorKind::AlreadyExists`] if something else than a socket is there.
#[cfg(unix)]
pub fn remove_stale_socket(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::FileTypeExt as _;
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.file_type().is_socket() => remove_if_there(path),
        Ok(_) => Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            "there is a file of that name, which is no socket",
        )),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Points a symbolic link at a path, in place of the link that is there. A reader sees the old link or the new one.
///
/// # Errors
/// What the system says; [`io::ErrorKind::AlreadyExists`] if something else than a link is there.
#[cfg(unix)]
pub fn point_link(link: &Path, target: &Path) -> io::Result<()> {
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
pub fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(unix)]
fn make_public(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.set_permissions(fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "the Unix twin can fail")]
fn make_public(_file: &File) -> io::Result<()> {
    Ok(())
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
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).map_or(0, |metadata| metadata.permissions().mode() & 0o777)
    }

    #[test]
    fn a_private_file_is_private_even_where_a_public_one_stood() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        write(&path, b"public", Access::Public).unwrap();
        assert_eq!(mode(&path), 0o644);
        write(&path, b"private", Access::Private).unwrap();
        assert_eq!(mode(&path), 0o600);
        assert_eq!(fs::read(&path).unwrap(), b"private");
        assert_eq!(
            fs::read_dir(folder.path()).unwrap().count(),
            1,
            "no temporary file stays"
        );
    }

    #[test]
    fn a_link_stays_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let (target, link) = (folder.path().join("target"), folder.path().join("link"));
        write(&target, b"old", Access::Private).unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        write(&link, b"new", Access::Private).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&target).unwrap(), b"new");
    }

    #[test]
    fn a_link_is_pointed_elsewhere_and_what_is_no_link_stays() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link");
        for target in ["/one", "/two", "/two"] {
            point_link(&link, Path::new(target)).unwrap();
            assert_eq!(fs::read_link(&link).unwrap(), Path::new(target));
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        let file = folder.path().join("file");
        write(&file, b"text", Access::Private).unwrap();
        assert!(point_link(&file, Path::new("/one")).is_err());
        assert_eq!(fs::read(&file).unwrap(), b"text");
    }

    #[test]
    fn the_access_of_a_file_can_be_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        write(&path, b"new", Access::AsBefore).unwrap();
        assert_eq!(mode(&path), 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        write(&path, b"newer", Access::AsBefore).unwrap();
        assert_eq!(mode(&path), 0o640);
    }

    #[test]
    fn a_failed_write_leaves_the_old_text() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("missing").join("file");
        assert!(write(&path, b"x", Access::Private).is_err());
        assert!(!path.exists());
    }

    #[test]
    fn what_is_appended_to_a_new_file_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        for line in ["one\n", "two\n"] {
            let mut file = append_privately(&path).unwrap();
            file.write_all(line.as_bytes()).unwrap();
        }
        assert_eq!(mode(&path), 0o600);
        assert_eq!(fs::read(&path).unwrap(), b"one\ntwo\n");
    }

    #[test]
    fn reading_stops_one_byte_above_the_limit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        write(&path, b"12345", Access::Private).unwrap();
        assert_eq!(read_capped(&path, 5).unwrap(), b"12345");
        assert_eq!(
            read_capped(&path, 4).unwrap_err().kind(),
            io::ErrorKind::FileTooLarge
        );
    }

    #[test]
    fn a_new_folder_is_private_and_one_that_others_may_write_to_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("a").join("b");
        make_private_folder(&inner).unwrap();
        assert_eq!(mode(&inner), 0o700);
        for (mode_there, is_taken) in [(0o755, true), (0o775, false), (0o777, false)] {
            fs::set_permissions(&inner, fs::Permissions::from_mode(mode_there)).unwrap();
            assert_eq!(
                make_private_folder(&inner).is_ok(),
                is_taken,
                "{mode_there:o}"
            );
            assert_eq!(mode(&inner), mode_there, "it stays as it is");
        }
    }
}
