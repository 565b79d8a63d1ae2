//! The executable of this process, which an upgrade may replace while it runs.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::env::Env;
use super::process::{self, RUNNING};

/// An executable as it was when this value was created.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    path: PathBuf,
    identity: Identity,
}

type Identity = (u64, Option<SystemTime>, u64);

impl Program {
    /// Returns the executable of this process.
    ///
    /// # Errors
    /// The system's error.
    pub(crate) fn of_this_process() -> io::Result<Self> {
        let (path, is_there) = place()?;
        // The executable may have been replaced already, and only this link still leads to it.
        let running = Path::new(RUNNING);
        let file = if is_there { &path } else { running };
        Ok(Self {
            identity: identity(&fs::metadata(file)?),
            path,
        })
    }

    #[cfg(test)]
    fn at(path: PathBuf) -> io::Result<Self> {
        Ok(Self {
            identity: identity(&fs::metadata(&path)?),
            path,
        })
    }

    /// Returns the path of the executable.
    #[must_use]
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns whether another file has replaced the executable. A missing file does not count as replaced: the replacement
    /// is in progress, or the file was removed and cannot be started.
    #[must_use]
    pub(crate) fn is_replaced(&self) -> bool {
        fs::metadata(&self.path).is_ok_and(|metadata| identity(&metadata) != self.identity)
    }
}

/// Returns a path of this executable that stays valid after an upgrade, for use in configs.
///
/// Some package managers install each version in its own folder, with a link to it in a folder on the `PATH`
/// (`/opt/homebrew/bin/entra-ssh` to `Cellar/0.1.0/bin/entra-ssh`). An upgrade removes the target, so this returns the link:
/// the one on the `PATH`, or the absolute path that started this process, if it is the same file.
///
/// # Errors
/// The system's error.
pub(crate) fn lasting_path(env: &Env) -> io::Result<PathBuf> {
    let (path, _) = place()?;
    let called = std::env::args_os().next().map(PathBuf::from);
    Ok(lasting(&path, env.var_os("PATH"), called))
}

fn lasting(path: &Path, path_variable: Option<&OsStr>, called: Option<PathBuf>) -> PathBuf {
    let name = path.file_name().and_then(OsStr::to_str);
    let on_path = name
        .zip(path_variable)
        .into_iter()
        .flat_map(|(name, variable)| process::find_programs(name, variable));
    on_path
        .chain(called)
        .find(|candidate| {
            candidate.is_absolute()
                && candidate != Path::new(RUNNING)
                && is_same_file(candidate, path)
        })
        .unwrap_or_else(|| path.to_path_buf())
}

/// Returns a path that starts this program again: the new file if the executable was replaced, or else the running one,
/// which the system keeps as long as this process runs.
///
/// # Errors
/// The system's error.
pub(crate) fn startable_path() -> io::Result<PathBuf> {
    let (path, is_there) = place()?;
    if is_there || process::is_executable(&path) {
        Ok(path)
    } else {
        Ok(RUNNING.into())
    }
}

/// Returns the path of this executable, and whether it still exists. Linux appends a word to the path of a file that was
/// removed or replaced.
fn place() -> io::Result<(PathBuf, bool)> {
    let path = std::env::current_exe()?;
    match without_mark(&path) {
        Some(before) if !path.exists() => Ok((before, false)),
        _ => Ok((path, true)),
    }
}

#[cfg(unix)]
fn without_mark(path: &Path) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStrExt as _;
    let path = path.as_os_str().as_bytes().strip_suffix(b" (deleted)")?;
    Some(OsStr::from_bytes(path).into())
}

#[cfg(not(unix))]
fn without_mark(_path: &Path) -> Option<PathBuf> {
    None
}

#[cfg(unix)]
fn is_same_file(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let place = |path: &Path| fs::metadata(path).map(|metadata| (metadata.dev(), metadata.ino()));
    matches!((place(one), place(other)), (Ok(one), Ok(other)) if one == other)
}

#[cfg(not(unix))]
fn is_same_file(one: &Path, other: &Path) -> bool {
    matches!((fs::canonicalize(one), fs::canonicalize(other)), (Ok(one), Ok(other)) if one == other)
}

#[cfg(unix)]
fn identity(metadata: &fs::Metadata) -> Identity {
    use std::os::unix::fs::MetadataExt as _;
    (metadata.len(), metadata.modified().ok(), metadata.ino())
}

#[cfg(not(unix))]
fn identity(metadata: &fs::Metadata) -> Identity {
    (metadata.len(), metadata.modified().ok(), 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::files::{self, Access};

    #[test]
    fn an_upgrade_is_noticed_and_a_file_that_is_gone_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("program");
        files::write(&path, b"one", Access::Private).unwrap();
        let program = Program::at(path.clone()).unwrap();
        assert!(!program.is_replaced());
        fs::remove_file(&path).unwrap();
        assert!(!program.is_replaced());
        files::write(&path, b"two, longer", Access::Private).unwrap();
        assert!(program.is_replaced());
        assert!(!Program::of_this_process().unwrap().is_replaced());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_on_the_path_is_kept_and_another_file_of_that_name_is_not() {
        use std::os::unix::fs::{PermissionsExt as _, symlink};
        let root = tempfile::tempdir().unwrap();
        let folders = ["cellar", "other", "bin"].map(|name| root.path().join(name));
        let [cellar, other, bin] = folders.each_ref().map(|folder| {
            fs::create_dir(folder).unwrap();
            folder.join("entra-ssh")
        });
        for file in [&cellar, &other] {
            files::write(file, b"#!/bin/sh\n", Access::Private).unwrap();
            fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
        }
        symlink(&cellar, &bin).unwrap();
        let [_, other_folder, bin_folder] = &folders;
        let variable = std::env::join_paths([other_folder, bin_folder]).unwrap();
        let found = |variable: Option<&OsStr>, called: &Path| {
            lasting(&cellar, variable, Some(called.to_path_buf()))
        };
        let word = Path::new("entra-ssh");
        assert_eq!(found(Some(&variable), word), bin);
        assert_eq!(found(Some(other_folder.as_os_str()), word), cellar);
        // Started by its path, as from a cron job.
        assert_eq!(found(None, &bin), bin);
        assert_eq!(found(None, &other), cellar);
        // A relative folder depends on the current folder.
        assert_eq!(
            found(Some(OsStr::new("bin")), Path::new("bin/entra-ssh")),
            cellar
        );
    }

    #[cfg(unix)]
    #[test]
    fn the_word_behind_the_path_of_a_removed_file_is_no_part_of_it() {
        let path = |text: &str| without_mark(Path::new(text));
        assert_eq!(
            path("/opt/entra-ssh (deleted)"),
            Some("/opt/entra-ssh".into())
        );
        assert_eq!(path("/opt/entra-ssh"), None);
        assert!(startable_path().unwrap().is_absolute());
    }
}
