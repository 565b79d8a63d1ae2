use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why a file or folder could not be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} `{}`", path.display())]
pub(crate) struct FileError {
    pub(crate) action: FileAction,
    pub(crate) path: PathBuf,
    pub(crate) source: io::Error,
}

/// What was to be done with it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum FileAction {
    MakeFolder,
    Read,
    Remove,
    Write,
}

impl FileError {
    pub(crate) fn new(action: FileAction, path: &Path, source: io::Error) -> Self {
        Self {
            action,
            path: path.to_owned(),
            source,
        }
    }
}

impl fmt::Display for FileAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MakeFolder => "make the folder",
            Self::Read => "read",
            Self::Remove => "remove",
            Self::Write => "write",
        })
    }
}
