use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::cloud::Cloud;
use crate::host::files;
use crate::host::paths;
use crate::session::error::CloudNameError;

/// The longest cloud file that is read, in bytes.
const MAX_FILE_BYTES: usize = 64 * 1024;

/// Names a cloud: one of the built-in ones, or the file that describes it.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CloudName {
    /// `AzureCloud`, `AzureUSGovernment`, `AzureChinaCloud`.
    BuiltIn(String),
    /// A TOML file.
    File(PathBuf),
}

impl CloudName {
    /// Reads what `--cloud` says: a built-in name, or else a path.
    ///
    /// # Errors
    /// [`CloudNameError`] if it is neither.
    pub fn parse(text: &str, current_folder: &Path) -> Result<Self, CloudNameError> {
        if let Some(cloud) = Cloud::built_in(text) {
            return Ok(Self::BuiltIn(cloud.name));
        }
        let path = current_folder.join(text);
        paths::without_control_characters(&path)?;
        if path.is_file() {
            return Ok(Self::File(path));
        }
        Err(CloudNameError::UnknownArgument {
            text: text.to_owned(),
        })
    }

    /// Returns the cloud.
    ///
    /// # Errors
    /// [`CloudNameError`] if its file cannot be used.
    pub fn open(&self) -> Result<Cloud, CloudNameError> {
        match self {
            Self::BuiltIn(name) => {
                Cloud::built_in(name).ok_or_else(|| CloudNameError::Unknown { name: name.clone() })
            }
            Self::File(path) => {
                let failed = |source| CloudNameError::Read {
                    path: path.clone(),
                    source,
                };
                let text = files::read_text_if_there(path, MAX_FILE_BYTES)
                    .map_err(failed)?
                    .ok_or_else(|| failed(io::ErrorKind::NotFound.into()))?;
                let folder = path.parent().unwrap_or(Path::new("/"));
                Cloud::parse(&text, folder).map_err(|source| CloudNameError::Invalid {
                    path: path.clone(),
                    source,
                })
            }
        }
    }
}
