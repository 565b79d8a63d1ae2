//! The file that this process runs, which an upgrade replaces while it runs.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The file of a program as it was when this was made.
#[derive(Clone, Debug)]
pub struct Program {
    path: PathBuf,
    identity: Identity,
}

type Identity = (u64, Option<SystemTime>, u64);

impl Program {
    /// Returns the program that this process runs.
    ///
    /// # Errors
    /// What the system says.
    pub fn of_this_process() -> io::Result<Self> {
        Self::at(std::env::current_exe()?)
    }

    fn at(path: PathBuf) -> io::Result<Self> {
        Ok(Self {
            identity: identity(&fs::metadata(&path)?),
            path,
        })
    }

    /// Returns where the file is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Tells whether another file has taken its place. One that is gone for the moment counts as the same: it is being
    /// replaced, or it has been removed, and nothing can be started from it.
    #[must_use]
    pub fn is_replaced(&self) -> bool {
        fs::metadata(&self.path).is_ok_and(|metadata| identity(&metadata) != self.identity)
    }
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
}
