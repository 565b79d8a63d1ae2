use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The maximum number of symbolic links to follow in a row, as on Linux.
const MAX_LINKS: usize = 40;

/// Follows symbolic links in the last component of a path. The target need not exist.
///
/// # Errors
/// The system's error; [`io::ErrorKind::PermissionDenied`] for a link that another user created in a world-writable folder,
/// such as `/tmp`.
pub(super) fn follow(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_path_buf();
    for _ in 0..MAX_LINKS {
        refuse_foreign_links(&path)?;
        let is_link = match fs::symlink_metadata(&path) {
            Ok(metadata) => metadata.is_symlink(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => return Err(error),
        };
        if !is_link {
            return Ok(path);
        }
        let target = fs::read_link(&path)?;
        // An absolute target replaces the whole path.
        path = path.parent().unwrap_or(&path).join(target);
    }
    Err(io::Error::new(
        io::ErrorKind::InvalidInput,
        format!("more than {MAX_LINKS} symbolic links in a row"),
    ))
}

/// Returns whether a path refers to an open file of this process: `/dev/stdout`, `/dev/fd/3`, `/proc/self/fd/3`.
pub(super) fn is_open_file(path: &Path) -> bool {
    let mut path = path.to_path_buf();
    for _ in 0..MAX_LINKS {
        let folder = path
            .parent()
            .and_then(|folder| fs::canonicalize(folder).ok());
        if folder.is_some_and(|folder| folder.starts_with("/proc") && folder.ends_with("fd")) {
            return true;
        }
        match fs::read_link(&path) {
            Ok(target) => path = path.parent().unwrap_or(&path).join(target),
            Err(_) => return false,
        }
    }
    false
}

/// Refuses a path through a symbolic link that another user may have planted: one in a world-writable folder that is owned
/// neither by this user nor by the folder's owner, as Linux does with `fs.protected_symlinks`.
#[cfg(unix)]
pub(super) fn refuse_foreign_links(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt as _;
    const STICKY_AND_WRITABLE: u32 = 0o1002;
    for part in path.ancestors() {
        let (Ok(link), Some(folder)) = (fs::symlink_metadata(part), part.parent()) else {
            continue;
        };
        if !link.is_symlink() {
            continue;
        }
        let folder = if folder.as_os_str().is_empty() {
            Path::new(".")
        } else {
            folder
        };
        let folder = fs::metadata(folder)?;
        let is_open_to_all = folder.mode() & STICKY_AND_WRITABLE == STICKY_AND_WRITABLE;
        let is_trusted =
            link.uid() == rustix::process::geteuid().as_raw() || link.uid() == folder.uid();
        if is_open_to_all && !is_trusted {
            return Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                format!(
                    "`{}` is a symbolic link of another user in a folder that everyone may write to",
                    part.display()
                ),
            ));
        }
    }
    Ok(())
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "the Unix twin can fail")]
pub(super) fn refuse_foreign_links(_path: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, lchown, symlink};

    use super::*;

    #[test]
    fn links_are_followed_to_the_end_and_not_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        symlink("b", path("a")).unwrap();
        symlink(path("missing"), path("b")).unwrap();
        assert_eq!(follow(&path("a")).unwrap(), path("missing"));
        symlink("loop", path("loop")).unwrap();
        assert!(follow(&path("loop")).is_err());
    }

    #[test]
    fn open_files_are_told_from_others() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link");
        symlink("/dev/stdout", &link).unwrap();
        for path in [
            Path::new("/dev/stdout"),
            Path::new("/dev/fd/0"),
            Path::new("/proc/self/fd/2"),
            &link,
        ] {
            assert!(is_open_file(path), "{path:?}");
        }
        assert!(!is_open_file(&folder.path().join("file")));
        assert!(!is_open_file(Path::new("/dev/null")));
    }

    #[test]
    fn reject_a_link_of_another_user_in_a_folder_that_all_may_write_to() {
        if !rustix::process::geteuid().is_root() {
            // Only root can create a link that another user owns.
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link");
        symlink("/etc/passwd", &link).unwrap();
        lchown(&link, Some(65534), Some(65534)).unwrap();
        assert!(follow(&link).is_ok(), "only the user may write here");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o1777)).unwrap();
        for path in [link.clone(), link.join("file")] {
            let refusal = follow(&path).unwrap_err();
            assert_eq!(refusal.kind(), io::ErrorKind::PermissionDenied);
        }
        lchown(&link, Some(0), Some(0)).unwrap();
        assert!(follow(&link).is_ok(), "it is this user's own");
    }
}
