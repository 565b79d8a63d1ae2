use std::path::PathBuf;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::super::env::Env;
use super::super::files;

/// The longest file of roots to read, in bytes.
pub(super) const MAX_CA_BYTES: usize = 16 * 1024 * 1024;

/// The roots that variables name beside those of the system.
#[derive(Clone, Debug)]
pub(super) struct Named {
    file: Option<PathBuf>,
    folders: Vec<PathBuf>,
}

impl Named {
    pub(super) fn of(env: &Env) -> Self {
        let folders = env.var_os("SSL_CERT_DIR").map(std::env::split_paths);
        Self {
            file: env.var_os("SSL_CERT_FILE").map(PathBuf::from),
            folders: folders.into_iter().flatten().collect(),
        }
    }

    pub(super) fn certificates(&self) -> Vec<CertificateDer<'static>> {
        let mut found = Vec::new();
        if let Some(file) = &self.file {
            // It may be anything that a variable names.
            let pem = files::read_capped(file, MAX_CA_BYTES).unwrap_or_default();
            found.extend(CertificateDer::pem_slice_iter(&pem).flatten());
        }
        for folder in &self.folders {
            found.extend(rustls_native_certs::load_certs_from_paths(None, Some(folder)).certs);
        }
        found
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.file.is_none() && self.folders.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_that_names_an_endless_device_costs_no_more_than_the_limit() {
        let env = Env::from([("SSL_CERT_FILE", "/dev/zero")]);
        assert!(Named::of(&env).certificates().is_empty());
    }
}
