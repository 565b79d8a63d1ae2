use std::fmt;
use std::path::{Path, PathBuf};

use super::error::IdentityError;
use super::key_files::KeyFiles;
use super::user_agent;
use crate::host::Host;
use crate::host::files::{self, FileAction, FileError};
use crate::ids::TenantId;
use crate::session::{Others, Profile};
use crate::ssh_config::is_certificate_file_name;

/// What was removed of a profile.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Removed {
    /// The certificate for a key of the user's, from its file.
    Certificate(PathBuf),
    /// A key and its certificate, from the files of this name.
    KeyFiles(PathBuf),
    /// A key and its certificate, from the user's own agent.
    FromUserAgent,
}

impl fmt::Display for Removed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Certificate(file) => write!(f, "the certificate {}", file.display()),
            Self::KeyFiles(file) => write!(f, "key and certificate from {}", file.display()),
            Self::FromUserAgent => f.write_str("the key from your own agent"),
        }
    }
}

/// Removes the keys and certificates that were kept of a profile. In the user's own agent, a key stays that another profile of
/// the same account has added too.
///
/// # Errors
/// [`IdentityError::File`] if a file cannot be removed.
pub(crate) async fn forget(
    host: &Host,
    profile: &Profile,
    others: &Others,
) -> Result<Vec<Removed>, IdentityError> {
    let mut removed = Vec::new();
    for tenant in std::iter::once(None).chain(profile.tenants().map(Some)) {
        let key_files = KeyFiles::of(&host.paths, &profile.name, tenant);
        if key_files.all().iter().any(|path| path.exists()) {
            for path in key_files.all() {
                remove(path)?;
            }
            removed.push(Removed::KeyFiles(key_files.private));
        }
        for path in files::entries(&host.paths.ssh_keys()) {
            let name = path.file_name().and_then(|name| name.to_str());
            if name.is_some_and(|name| is_certificate_file_name(name, &profile.name, tenant)) {
                remove(&path)?;
                removed.push(Removed::Certificate(path));
            }
        }
    }
    if let Some(socket) = host.env.var_os("SSH_AUTH_SOCK") {
        let is_shared = |tenant: &&TenantId| others.use_account(profile, tenant);
        for tenant in profile.tenants().filter(|tenant| !is_shared(tenant)) {
            let label = user_agent::label(profile, tenant);
            if user_agent::remove(Path::new(socket), &label).await {
                removed.push(Removed::FromUserAgent);
            }
        }
    }
    Ok(removed)
}

fn remove(path: &Path) -> Result<(), FileError> {
    files::remove_if_there(path).map_err(|source| FileError::new(FileAction::Remove, path, source))
}
