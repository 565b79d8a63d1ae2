use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::ValueEnum;
use zeroize::Zeroizing;

use super::super::context::Context;
use crate::agent::system_agent;
use crate::certificate::{Certificate, Unverified};
use crate::failure::{Failure, file_failure};
use crate::host::files::{self, Access};
use crate::ids::{Principal, ProfileName, TenantId};
use crate::issue::{self, Issued, SpareKeys};
use crate::session::{Others, Profile, Session};
use crate::ssh_config::{Identity, is_certificate_file_name, key_file_name};
use crate::time::UnixTime;

/// The longest file that is read here, in bytes.
const MAX_FILE_BYTES: usize = 256 * 1024;

/// Where key and certificate are kept besides our own agent and the keyring.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(in super::super) enum KeptIn {
    /// In files that only you may read, for clients without agents
    File,
    /// In your own agent, at `SSH_AUTH_SOCK`
    SystemAgent,
}

impl KeptIn {
    /// Returns where a host's key and certificate are, if they are kept there by us.
    pub(in super::super) const fn of(identity: Identity) -> Option<Self> {
        match identity {
            Identity::Agent | Identity::Own | Identity::PublicKey => None,
            Identity::File => Some(Self::File),
            Identity::SystemAgent => Some(Self::SystemAgent),
        }
    }
}

/// Sees to it that what is kept elsewhere is what the keyring holds, and returns the login name of its certificate.
pub(in super::super) async fn keep(
    context: &Context,
    profile: &ProfileName,
    tenant: Option<&TenantId>,
    kept_in: KeptIn,
) -> Result<Principal, Failure> {
    let session = context.session_of(profile, tenant).await?;
    let folder = context.host.paths.ssh_keys();
    files::make_private_folder(&folder)
        .map_err(|error| file_failure("make the folder", &folder, &error))?;
    let key = folder.join(key_file_name(profile, tenant));
    let public = with(&key, ".pub");
    let needed = match kept_in {
        KeptIn::File => &key,
        KeptIn::SystemAgent => &public,
    };
    let kept = with(&key, "-cert.pub");
    let kept = || good_certificate(&kept, context.host.clock.now()).filter(|_| needed.exists());
    let issued = if session.is_stored() {
        issue::stored(&session).await?.ok_or_else(|| {
            Failure::new("there is no certificate in the keyring, or it is over")
                .hint("issue one: entra-ssh cert")
        })?
    } else if let Some(certificate) = kept() {
        return Ok(certificate.login_name().clone());
    } else {
        // What the agent holds of an account that is stored nowhere does not leave it.
        issue::fresh(&session, &SpareKeys::default(), |_| false).await?
    };
    if kept_in == KeptIn::SystemAgent {
        keep_in_agent(context, &session, &issued).await?;
    }
    // Hosts of both kinds have files of one name, and ssh believes each of them: what one kind has left must not be that of an
    // earlier key. What the other kind alone needs is written if it is there.
    if kept_in == KeptIn::File || key.exists() {
        let private = issued.key_pair.to_private_key_file()?;
        write(&key, private.expose())?;
    }
    if kept_in == KeptIn::SystemAgent || public.exists() {
        write(&public, public_key_line(&issued).as_bytes())?;
    }
    let certificate = issued.certificate.to_openssh();
    write(&with(&key, "-cert.pub"), certificate.as_bytes())?;
    Ok(issued.certificate.login_name().clone())
}

/// Returns the certificate in a file if it is not due.
fn good_certificate(file: &Path, now: UnixTime) -> Option<Certificate> {
    let text = files::read_text_if_there(file, MAX_FILE_BYTES).ok()??;
    let parsed = Unverified::from_openssh(&text).ok()?;
    let verified = parsed.verify(now, parsed.public_key()).ok()?;
    let left = verified.validity().1.since(now);
    (left > issue::renewal_margin(&verified, now)).then_some(verified)
}

/// Removes what [`keep`] has kept of a profile, and says what. In the user's own agent, a key stays that another profile of the
/// same account put there, too.
pub(in super::super) async fn forget(
    context: &Context,
    profile: &Profile,
    others: &Others,
) -> Result<Vec<String>, Failure> {
    let mut removed = Vec::new();
    let folder = context.host.paths.ssh_keys();
    for tenant in std::iter::once(None).chain(profile.tenants().map(Some)) {
        let key = folder.join(key_file_name(&profile.name, tenant));
        let paths = [key.clone(), with(&key, ".pub"), with(&key, "-cert.pub")];
        if paths.iter().any(|path| path.exists()) {
            for path in &paths {
                files::remove_if_there(path)
                    .map_err(|error| file_failure("remove", path, &error))?;
            }
            removed.push(format!("key and certificate from {}", key.display()));
        }
        for path in certificates_of_own_keys(&folder, &profile.name, tenant) {
            files::remove_if_there(&path).map_err(|error| file_failure("remove", &path, &error))?;
            removed.push(format!("the certificate {}", path.display()));
        }
    }
    if let Some(socket) = context.host.env.var_os("SSH_AUTH_SOCK") {
        let is_shared = |tenant: &&TenantId| others.use_account(profile, tenant);
        for tenant in profile.tenants().filter(|tenant| !is_shared(tenant)) {
            let label = label(profile, tenant);
            if system_agent::forget(Path::new(socket), &label).await {
                removed.push("the key from your own agent".to_owned());
            }
        }
    }
    Ok(removed)
}

/// Finds the certificates for keys of the user's own.
fn certificates_of_own_keys(
    folder: &Path,
    profile: &ProfileName,
    tenant: Option<&TenantId>,
) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            let name = path.file_name().and_then(|name| name.to_str());
            name.is_some_and(|name| is_certificate_file_name(name, profile, tenant))
        })
        .collect()
}

/// Says in the user's own agent whose key it is.
fn label(profile: &Profile, tenant: &TenantId) -> String {
    if *tenant == profile.tenant {
        profile.account.to_string()
    } else {
        format!("{} {tenant}", profile.account)
    }
}

async fn keep_in_agent(
    context: &Context,
    session: &Session,
    issued: &Issued,
) -> Result<(), Failure> {
    let socket = context.host.env.var_os("SSH_AUTH_SOCK").ok_or_else(|| {
        Failure::new("there is no agent of yours: `SSH_AUTH_SOCK` is not set")
            .hint("start one: eval $(ssh-agent)")
    })?;
    let label = label(&session.profile, &session.tenant);
    let now = context.host.clock.now();
    system_agent::keep(Path::new(socket), issued, &label, now).await
}

/// Writes a file unless it holds that already: most of the time nothing has changed.
fn write(path: &Path, contents: &[u8]) -> Result<(), Failure> {
    let held = files::read_if_there(path, MAX_FILE_BYTES).ok().flatten();
    if held.is_some_and(|held| Zeroizing::new(held).as_slice() == contents) {
        return Ok(());
    }
    files::write(path, contents, Access::Private)
        .map_err(|error| file_failure("write", path, &error))
}

fn with(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

fn public_key_line(issued: &Issued) -> String {
    let key = issued.key_pair.public_key();
    format!("{} {}\n", key.algorithm(), STANDARD.encode(key.blob()))
}
