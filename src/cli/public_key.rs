//! Certificates for keys of the user's own, whose private halves are elsewhere: in hardware, in another agent, in a file.

use std::path::{Path, PathBuf};

use super::context::Context;
use crate::agent::ask::RenewWhen;
use crate::certificate::{Certificate, PublicKey, Unverified};
use crate::failure::{Failure, FailureKind, file_failure};
use crate::host::files::{self, Access};
use crate::ids::{ProfileName, TenantId};
use crate::issue;
use crate::ssh_config::certificate_file_name;
use crate::time::UnixTime;

/// The longest key or certificate file that is read, in bytes.
pub(super) const MAX_FILE_BYTES: usize = 256 * 1024;

/// Sees to it that there is a certificate for the key in `file` where managed hosts look for it, and returns it, and whether it
/// is new. Of any number of processes that ask at once, one has it issued.
pub(super) async fn keep(
    context: &Context,
    profile: &ProfileName,
    tenant: Option<&TenantId>,
    file: &Path,
    when: RenewWhen,
) -> Result<(Certificate, bool), Failure> {
    let key = read(file)?;
    let folder = context.host.paths.ssh_keys();
    let path = folder.join(certificate_file_name(profile, tenant, file));
    let clock = &context.host.clock;
    let held = || held(&path, &key, clock.now()).filter(|held| is_good(held, when, clock.now()));
    if let Some(held) = held() {
        return Ok((held, false));
    }
    let session = context.session_of(profile, tenant).await?;
    let lock = session.lock_to_issue().await?;
    if let Some(held) = held() {
        return Ok((held, false));
    }
    let certificate = issue::certify(&session, &key).await?;
    // The tenant first: logout finds what is kept by what the profile records.
    session.record_tenant(&lock)?;
    files::make_private_folder(&folder)
        .map_err(|error| file_failure("make the folder", &folder, &error))?;
    files::write(&path, certificate.to_openssh().as_bytes(), Access::Private)
        .map_err(|error| file_failure("write", &path, &error))?;
    Ok((certificate, true))
}

/// Reads a public key file.
pub(super) fn read(path: &Path) -> Result<PublicKey, Failure> {
    let text = files::read_text_if_there(path, MAX_FILE_BYTES)
        .and_then(|text| text.ok_or_else(|| std::io::ErrorKind::NotFound.into()))
        .map_err(|error| file_failure("read", path, &error))?;
    if text.contains("PRIVATE KEY") {
        return Err(
            Failure::new(format!("`{}` holds a private key", path.display()))
                .kind(FailureKind::Usage)
                .hint(format!("name the public half: {}.pub", path.display())),
        );
    }
    PublicKey::from_openssh(&text)
        .map_err(|error| Failure::from(error).within(format!("cannot use `{}`", path.display())))
}

/// Returns `id_rsa-cert.pub` for `id_rsa.pub`: where ssh looks for the certificate of the key `id_rsa`.
pub(super) fn certificate_beside(public_key: &Path) -> PathBuf {
    let stem = match public_key.extension() {
        Some(extension) if extension == "pub" => public_key.with_extension(""),
        _ => public_key.to_owned(),
    };
    let mut name = stem.into_os_string();
    name.push("-cert.pub");
    name.into()
}

/// Returns the certificate in a file, if it is for this key and still lives. What does not hold is replaced.
fn held(path: &Path, key: &PublicKey, now: UnixTime) -> Option<Certificate> {
    let text = files::read_text_if_there(path, MAX_FILE_BYTES).ok()??;
    Unverified::from_openssh(&text).ok()?.verify(now, key).ok()
}

fn is_good(certificate: &Certificate, when: RenewWhen, now: UnixTime) -> bool {
    let left = certificate.validity().1.since(now);
    match when {
        RenewWhen::Due => left > issue::renewal_margin(certificate, now),
        RenewWhen::Now => false,
        RenewWhen::WithinSeconds(seconds) => left.as_secs() >= seconds,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_certificate_lies_where_ssh_looks_for_it() {
        for (key, certificate) in [
            ("/k/id_rsa.pub", "/k/id_rsa-cert.pub"),
            ("/k/id.rsa.pub", "/k/id.rsa-cert.pub"),
            ("/k/id_rsa", "/k/id_rsa-cert.pub"),
        ] {
            assert_eq!(certificate_beside(Path::new(key)), Path::new(certificate));
        }
    }
}
