//! A config for one connection, for what OpenSSH does not take on its command line.

use std::path::{Path, PathBuf};

use super::context::Context;
use super::path_arg::absolute;
use crate::failure::{Failure, file_failure};
use crate::host::files::{self, Access};
use crate::ssh_config::{self, Value};

/// The config of the machine, which ssh reads after the user's.
const SYSTEM_CONFIG: &str = "/etc/ssh/ssh_config";

/// Writes a config with options for one host, which ssh reads with `-F`, and returns its path. The user's config and the
/// system's hold as well, or the one that `in_place` of them was named (`ssh -F`; `none` for none).
///
/// The file is private, and stays: a jump host's ssh reads it after ours has taken this process's place. That of the next
/// connection to this host is written over it.
pub(super) fn write(
    context: &Context,
    host: &str,
    options: &[(&'static str, Value)],
    in_place: Option<&Path>,
) -> Result<PathBuf, Failure> {
    let includes = match in_place {
        Some(file) if file == Path::new("none") => Vec::new(),
        Some(file) => vec![absolute(file)?],
        None => vec![
            context.host.paths.ssh_config(),
            PathBuf::from(SYSTEM_CONFIG),
        ],
    };
    let text = ssh_config::standalone(host, options, &includes)?;
    let folder = context.host.paths.connections();
    files::make_private_folder(&folder)
        .map_err(|error| file_failure("make the folder", &folder, &error))?;
    let file = folder.join(format!("{host}.conf"));
    files::write(&file, text.as_bytes(), Access::Private)
        .map_err(|error| file_failure("write", &file, &error))?;
    Ok(file)
}

/// Removes the config of a host that cannot be connected to any more.
pub(super) fn remove(context: &Context, host: &str) {
    let file = context
        .host
        .paths
        .connections()
        .join(format!("{host}.conf"));
    let removed = files::remove_if_there(&file);
    tracing::debug!(?file, ?removed, "removes a config for one connection");
}
