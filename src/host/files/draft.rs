use std::fmt;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile};
use zeroize::Zeroizing;

use super::leftovers::{self, UNFINISHED};
use super::links;
use super::read::{not_regular, read_regular};

/// Who may read a written file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Access {
    /// Only the owner: mode 0600.
    Private,
    /// All users: mode 0644. For public keys and certificates that the user requested by name.
    Public,
    /// The mode of the existing file, or 0600 if there is none.
    AsBefore,
}

/// A complete temporary file that replaces another file when it is kept. Dropping it removes it.
pub(crate) struct Draft {
    file: NamedTempFile,
    target: PathBuf,
    access: Access,
    /// They may be secret.
    contents: Zeroizing<Vec<u8>>,
    /// Whether the old file can only be overwritten, because its folder is not writable.
    must_stay: bool,
}

impl fmt::Debug for Draft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Draft")
            .field("target", &self.target)
            .finish_non_exhaustive()
    }
}

impl Draft {
    /// Writes the new contents of `path` to a temporary file beside it, and syncs that. Follows symbolic links: their
    /// target, which need not exist, is the file to replace. An existing file keeps its owner if root replaces it.
    ///
    /// # Errors
    /// The system's error; [`io::ErrorKind::InvalidInput`] if something other than a regular file is there, and
    /// [`io::ErrorKind::PermissionDenied`] for a link that another user created in a world-writable folder.
    pub(crate) fn new(path: &Path, contents: &[u8], access: Access) -> io::Result<Self> {
        let target = links::follow(path)?;
        let before = regular_file(&target)?;
        let folder = match target.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        // Created with mode 0600, regardless of the umask.
        let begin = |folder: &Path| Builder::new().prefix(UNFINISHED).tempfile_in(folder);
        let (mut file, must_stay) = match begin(folder) {
            Ok(file) => (file, false),
            // The file is writable, but its folder is not.
            Err(_) if before.is_some() && OpenOptions::new().write(true).open(&target).is_ok() => {
                (begin(&std::env::temp_dir())?, true)
            }
            Err(error) => return Err(error),
        };
        leftovers::hold(file.as_file());
        file.write_all(contents)?;
        if let Some(before) = &before {
            keep_owner(file.as_file(), before)?;
        }
        give_access(file.as_file(), access, before.as_ref())?;
        file.as_file().sync_all()?;
        Ok(Self {
            file,
            target,
            access,
            contents: Zeroizing::new(contents.to_vec()),
            must_stay,
        })
    }

    /// Returns the path of the temporary file.
    #[must_use]
    pub(crate) fn path(&self) -> &Path {
        self.file.path()
    }

    /// Replaces the old file. A file that is a mount point, as in a container, cannot be replaced; its contents are
    /// overwritten instead.
    ///
    /// # Errors
    /// The system's error; the old file is then unchanged.
    pub(crate) fn keep(self) -> io::Result<()> {
        let written = self.file.as_file().metadata()?.modified();
        if self.must_stay {
            return replace_contents(&self.target, &self.contents, self.access);
        }
        match self.file.persist(&self.target) {
            Ok(_kept) => {}
            Err(refused) if refused.error.kind() == io::ErrorKind::ResourceBusy => {
                // The synced temporary file stays beside the old one until the new contents are written.
                replace_contents(&self.target, &self.contents, self.access)?;
            }
            Err(refused) => return Err(refused.error),
        }
        // Only after a private file: other leftovers hold no secret.
        if let (Access::Private, Ok(written)) = (self.access, written)
            && let Some(folder) = self.target.parent()
        {
            leftovers::remove_from(folder, written);
        }
        Ok(())
    }
}

/// Overwrites the contents of a file in place. If that fails, restores the old ones.
fn replace_contents(path: &Path, contents: &[u8], access: Access) -> io::Result<()> {
    let old = Zeroizing::new(read_regular(path, usize::MAX)?);
    let mut file = OpenOptions::new().write(true).open(path)?;
    if access == Access::Private {
        give_access(&file, access, None)?;
    }
    overwrite(&mut file, contents).inspect_err(|_| {
        // The old contents fit before.
        let _restored = overwrite(&mut file, &old);
    })
}

fn overwrite(file: &mut File, contents: &[u8]) -> io::Result<()> {
    file.rewind()?;
    file.write_all(contents)?;
    file.set_len(contents.len().try_into().unwrap_or(u64::MAX))?;
    file.sync_all()
}

/// Returns the metadata of the file at `path`, if it exists.
fn regular_file(path: &Path) -> io::Result<Option<Metadata>> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => Ok(Some(metadata)),
        Ok(metadata) => Err(not_regular(&metadata)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn give_access(file: &File, access: Access, before: Option<&Metadata>) -> io::Result<()> {
    match (access, before) {
        (Access::Private, _) => make_private(file),
        (Access::Public, _) => make_public(file),
        (Access::AsBefore, Some(before)) => file.set_permissions(before.permissions()),
        (Access::AsBefore, None) => Ok(()),
    }
}

#[cfg(unix)]
fn make_private(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.set_permissions(fs::Permissions::from_mode(0o600))
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "the Unix twin can fail")]
fn make_private(_file: &File) -> io::Result<()> {
    Ok(())
}

/// If root replaces a file, gives the new one to the owner of the old one.
#[cfg(unix)]
fn keep_owner(file: &File, before: &Metadata) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt as _;
    if rustix::process::geteuid().is_root() && before.uid() != 0 {
        std::os::unix::fs::fchown(file, Some(before.uid()), Some(before.gid()))?;
    }
    Ok(())
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "the Unix twin can fail")]
fn keep_owner(_file: &File, _before: &Metadata) -> io::Result<()> {
    Ok(())
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

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn contents_are_replaced_where_the_file_must_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        for (old, new) in [
            ("short", "longer than before"),
            ("longer than after", "x"),
            ("x", ""),
        ] {
            super::super::write(&path, old.as_bytes(), Access::Public).unwrap();
            let inode = fs::metadata(&path).unwrap().ino();
            replace_contents(&path, new.as_bytes(), Access::Private).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), new);
            let metadata = fs::metadata(&path).unwrap();
            assert_eq!(metadata.ino(), inode);
            assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn a_link_to_nothing_is_written_through() {
        let folder = tempfile::tempdir().unwrap();
        let [link, second, target] =
            ["link", "second", "target"].map(|name| folder.path().join(name));
        symlink("second", &link).unwrap();
        symlink(&target, &second).unwrap();
        super::super::write(&link, b"new", Access::Private).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert!(fs::symlink_metadata(&second).unwrap().is_symlink());
        assert_eq!(fs::read(&target).unwrap(), b"new");
    }

    #[test]
    fn nothing_but_a_regular_file_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, mode).unwrap();
        for path in [&pipe, Path::new("/dev/null"), folder.path()] {
            let refusal = Draft::new(path, b"x", Access::Private).unwrap_err();
            assert_eq!(refusal.kind(), io::ErrorKind::InvalidInput, "{path:?}");
        }
    }

    #[test]
    fn what_is_not_kept_leaves_no_trace() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        super::super::write(&path, b"old", Access::Private).unwrap();
        let draft = Draft::new(&path, b"new", Access::Private).unwrap();
        assert_eq!(fs::read(draft.path()).unwrap(), b"new");
        drop(draft);
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn root_leaves_a_file_to_its_owner() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        super::super::write(&path, b"old", Access::Private).unwrap();
        std::os::unix::fs::chown(&path, Some(65534), Some(65534)).unwrap();
        for access in [Access::AsBefore, Access::Private] {
            super::super::write(&path, b"new", access).unwrap();
            let metadata = fs::metadata(&path).unwrap();
            assert_eq!((metadata.uid(), metadata.gid()), (65534, 65534));
        }
    }
}
