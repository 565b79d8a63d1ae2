//! The host keys of managed machines, which ssh keeps in a file of ours.

use std::path::PathBuf;

use crate::host::files::{self, Access, FileAction, FileError};
use crate::host::paths::Paths;
use crate::ids::ResourceId;
use crate::ssh_config;

/// The longest `known_hosts` file that is read, in bytes.
const MAX_KNOWN_HOSTS_BYTES: usize = 16 * 1024 * 1024;

/// Adds the names that ssh knows these machines by to the names of an earlier version. A file that cannot be read or written
/// stays as it is.
pub(super) fn rename<'a>(paths: &Paths, machines: impl IntoIterator<Item = &'a ResourceId>) {
    let names: Vec<_> = machines
        .into_iter()
        .map(|machine| (machine.to_earlier_host_key_alias(), machine.to_host_name()))
        .collect();
    let path = paths.known_hosts();
    let Ok(Some(text)) = files::read_text_if_there(&path, MAX_KNOWN_HOSTS_BYTES) else {
        return;
    };
    if let Some(changed) = ssh_config::with_new_names(&text, &names) {
        let written = files::write(&path, changed.as_bytes(), Access::AsBefore);
        tracing::info!(?path, ?written, "renames the host keys of machines");
    }
}

/// Makes the folder of the file, and returns the file. On a disk that cannot be written, ssh says so itself, and connects.
///
/// # Errors
/// [`FileError`] for any other reason.
pub(super) fn make_folder(paths: &Paths) -> Result<PathBuf, FileError> {
    let known_hosts = paths.known_hosts();
    let folder = known_hosts.parent().unwrap_or(&known_hosts);
    match files::make_private_folder(folder) {
        Err(source) if !files::cannot_be_written(&source) => {
            Err(FileError::new(FileAction::MakeFolder, folder, source))
        }
        _ => Ok(known_hosts),
    }
}
