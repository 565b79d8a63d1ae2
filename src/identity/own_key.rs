//! Certificates for keys of the user's own, whose private halves are elsewhere: in hardware, in another agent, in a file.

use std::io;
use std::path::{Path, PathBuf};

use super::certificate_file::{MAX_FILE_BYTES, good_certificate};
use super::error::IdentityError;
use super::key_files;
use crate::certificate::{Certificate, PublicKey, RenewWhen};
use crate::host::Host;
use crate::host::files::{self, Access, FileAction, FileError};
use crate::ids::{ProfileName, TenantId};
use crate::issue;
use crate::session::Session;
use crate::ssh_config::certificate_file_name;

/// A key of the user's, and the file of its certificate that managed hosts name.
pub(crate) struct OwnKey<'a> {
    host: &'a Host,
    key: PublicKey,
    certificate: PathBuf,
}

impl<'a> OwnKey<'a> {
    /// Reads the public key in `file`. Its certificate is for a profile in a tenant; without one, in the tenant that the profile
    /// is signed in to.
    ///
    /// # Errors
    /// As [`read_public_key`].
    pub(crate) fn read(
        host: &'a Host,
        file: &Path,
        profile: &ProfileName,
        tenant: Option<&TenantId>,
    ) -> Result<Self, IdentityError> {
        let name = certificate_file_name(profile, tenant, file);
        Ok(Self {
            host,
            key: read_public_key(file)?,
            certificate: host.paths.ssh_keys().join(name),
        })
    }

    /// Returns the certificate in the file, unless it has to be replaced.
    pub(crate) fn certificate(&self, when: RenewWhen) -> Option<Certificate> {
        let now = self.host.clock.now();
        good_certificate(&self.certificate, Some(&self.key), when, now)
    }

    /// Returns the certificate in the file, or a new one, and whether it is new. Of any number of processes, one has it issued.
    ///
    /// # Errors
    /// [`IdentityError`] if none is issued or it cannot be written.
    pub(crate) async fn renew(
        &self,
        session: &Session,
        when: RenewWhen,
    ) -> Result<(Certificate, bool), IdentityError> {
        let lock = session.lock_to_issue().await?;
        if let Some(held) = self.certificate(when) {
            return Ok((held, false));
        }
        let certificate = issue::certify(session, &self.key).await?;
        // The tenant first: logout finds what is kept by what the profile records.
        session.record_tenant(&lock)?;
        key_files::make_folder(&self.host.paths)?;
        let text = certificate.to_openssh();
        files::write(&self.certificate, text.as_bytes(), Access::Private)
            .map_err(|source| FileError::new(FileAction::Write, &self.certificate, source))?;
        Ok((certificate, true))
    }
}

/// Reads a public key file.
///
/// # Errors
/// [`IdentityError::File`], [`IdentityError::PrivateKey`], [`IdentityError::PublicKey`].
pub(crate) fn read_public_key(path: &Path) -> Result<PublicKey, IdentityError> {
    let text = files::read_text_if_there(path, MAX_FILE_BYTES)
        .and_then(|text| text.ok_or_else(|| io::ErrorKind::NotFound.into()))
        .map_err(|source| FileError::new(FileAction::Read, path, source))?;
    let path = path.to_owned();
    // The armour of every form of private key says so: PEM's, PKCS #8's and OpenSSH's.
    if text.contains("PRIVATE KEY") {
        return Err(IdentityError::PrivateKey { path });
    }
    PublicKey::from_openssh(&text).map_err(|source| IdentityError::PublicKey { path, source })
}

/// Returns `id_rsa-cert.pub` for `id_rsa.pub`: where ssh looks for the certificate of the key `id_rsa`.
pub(crate) fn certificate_beside(public_key: &Path) -> PathBuf {
    let stem = match public_key.extension() {
        Some(extension) if extension == "pub" => public_key.with_extension(""),
        _ => public_key.to_owned(),
    };
    let mut name = stem.into_os_string();
    name.push("-cert.pub");
    name.into()
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
