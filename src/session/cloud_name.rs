use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::cloud::{BUILT_IN, Cloud};
use crate::failure::{Failure, FailureKind, file_failure};
use crate::host::files;
use crate::host::paths;

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
    /// [`Failure`] if it is neither.
    pub fn parse(text: &str, current_folder: &Path) -> Result<Self, Failure> {
        if let Some(cloud) = Cloud::built_in(text) {
            return Ok(Self::BuiltIn(cloud.name));
        }
        let path = current_folder.join(text);
        paths::without_control_characters(&path)?;
        if path.is_file() {
            return Ok(Self::File(path));
        }
        Err(Failure::new(format!(
            "there is no cloud `{text}`, and no file of that name"
        ))
        .kind(FailureKind::Usage)
        .hint(format!(
            "use one of {}, or a cloud file",
            BUILT_IN.join(", ")
        )))
    }

    /// Returns the cloud.
    ///
    /// # Errors
    /// [`Failure`] if its file cannot be used.
    pub fn open(&self) -> Result<Cloud, Failure> {
        match self {
            Self::BuiltIn(name) => Cloud::built_in(name).ok_or_else(|| {
                Failure::new(format!("there is no cloud `{name}`")).hint(format!(
                    "use one of {}, or a cloud file",
                    BUILT_IN.join(", ")
                ))
            }),
            Self::File(path) => {
                let failed = |error: &io::Error| file_failure("read the cloud file", path, error);
                let text = files::read_text_if_there(path, MAX_FILE_BYTES)
                    .map_err(|error| failed(&error))?
                    .ok_or_else(|| failed(&io::ErrorKind::NotFound.into()))?;
                let folder = path.parent().unwrap_or(Path::new("/"));
                Cloud::parse(&text, folder).map_err(|error| {
                    Failure::from(error)
                        .within(format!("cannot use the cloud file `{}`", path.display()))
                })
            }
        }
    }
}
