use std::io;
use std::path::PathBuf;

use super::error::HostsError;
use crate::host::files::{self, Access};
use crate::host::paths::Paths;
use crate::ssh_config::{include_line, with_include};

/// The longest ssh config that is read, in bytes. None is written that is longer.
pub(super) const MAX_CONFIG_BYTES: usize = 16 * 1024 * 1024;

/// Why ssh does not read the managed hosts: some programs own the user's ssh config, and do not let others write it.
#[derive(Debug)]
pub(crate) struct NotIncluded {
    /// The user's ssh config.
    pub(crate) path: PathBuf,
    pub(crate) error: io::Error,
    /// The line that is missing.
    pub(crate) line: String,
}

/// Returns the user's ssh config with the `Include` of the managed one, unless it has that already.
///
/// # Errors
/// [`HostsError::ForeignFolder`], [`HostsError::UserConfig`].
pub(super) fn missing(paths: &Paths) -> Result<Option<Vec<u8>>, HostsError> {
    refuse_foreign_folder(paths)?;
    let path = paths.ssh_config();
    match files::read_if_there(&path, MAX_CONFIG_BYTES) {
        Ok(config) => Ok(with_include(
            &config.unwrap_or_default(),
            &paths.managed_ssh_config(),
            &paths.home,
        )),
        Err(source) => Err(HostsError::UserConfig { path, source }),
    }
}

/// Writes the user's ssh config, or returns the line that the user has to add.
pub(super) fn write(paths: &Paths, config: &[u8]) -> Option<NotIncluded> {
    let path = paths.ssh_config();
    let error = files::write(&path, config, Access::AsBefore).err()?;
    Some(NotIncluded {
        path,
        error,
        line: include_line(&paths.managed_ssh_config()),
    })
}

/// Refuses to write into another user's folder, as with `sudo` and the home folder of the caller: neither of both could use
/// what root would leave there.
fn refuse_foreign_folder(paths: &Paths) -> Result<(), HostsError> {
    for folder in [paths.home.join(".ssh"), paths.home.clone()] {
        if files::is_foreign_to_root(&folder) {
            return Err(HostsError::ForeignFolder { folder });
        }
    }
    Ok(())
}
