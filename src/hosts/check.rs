use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use super::error::HostsError;
use crate::host::env::Env;
use crate::host::process;
use crate::line::Line;

/// How long ssh may take to read a config.
const CHECK_LIMIT: Duration = Duration::from_secs(30);
/// A host that no config has a block for, so that reading one for it runs nothing (`invalid` is a domain of RFC 2606).
const NO_HOST: &str = "entra-ssh-check.invalid";

/// Has ssh read a draft of the config at `path`. Without an ssh on the PATH, nothing is checked.
///
/// # Errors
/// [`HostsError::Check`] if ssh does not run, [`HostsError::Rejected`] with what it says about the draft.
pub(super) async fn by_ssh(env: &Env, draft: &Path, path: &Path) -> Result<(), HostsError> {
    let Some(ssh) = process::find_program("ssh", env.var_os("PATH")) else {
        tracing::warn!("does not check the ssh config: `ssh` not found on the PATH");
        return Ok(());
    };
    let arguments: [OsString; 4] = ["-G".into(), "-F".into(), draft.into(), NO_HOST.into()];
    let read = match process::capture(&ssh, &arguments, CHECK_LIMIT).await {
        Ok(read) => read,
        Err(source) => return Err(HostsError::Check { ssh, source }),
    };
    if read.status.success() {
        return Ok(());
    }
    let (name, shown) = (draft.display().to_string(), path.display().to_string());
    let lines = String::from_utf8_lossy(&read.stderr)
        .lines()
        .map(|line| Line::from(line.replace(&name, &shown)))
        .collect();
    Err(HostsError::Rejected {
        path: path.to_owned(),
        lines,
    })
}
