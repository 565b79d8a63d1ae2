//! The files that programs need to reach a sandbox.

use std::fs;
use std::io;
use std::path::PathBuf;

use super::Sandbox;
use crate::entra::AZURE_CLI;

impl Sandbox {
    /// Returns the file for `--cloud`.
    #[must_use]
    pub fn cloud_file(&self) -> PathBuf {
        self.folder.path().join("cloud.toml")
    }

    /// Returns a file for `--cloud` whose addresses lead through a middlebox: they show a certificate
    /// of "Contoso TLS Inspection CA", which is in nobody's list.
    #[must_use]
    pub fn inspected_cloud_file(&self) -> PathBuf {
        self.folder.path().join("inspected.toml")
    }

    /// Returns the certificate authority of all addresses, a PEM file.
    #[must_use]
    pub fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Returns the certificate authority of all addresses as PEM.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        &self.world.ca_pem
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the folder is private, and its files hold no secret"
    )]
    pub(super) fn write_files(&self) -> io::Result<()> {
        fs::write(self.ca_file(), &self.world.ca_pem)?;
        let files = [
            (self.cloud_file(), self.authority()),
            (self.inspected_cloud_file(), &self.world.addresses.inspected),
        ];
        for (file, address) in files {
            let text = format!(
                "name = \"sandbox\"\n\
                 authority = \"{address}\"\n\
                 resource_manager = \"{address}\"\n\
                 resource_manager_scope = \"https://management.core.windows.net//.default\"\n\
                 ssh_scope = \"ce6ff14a-7fdc-4685-bbe0-f6afdfcfa8e0/.default\"\n\
                 client_id = \"{AZURE_CLI}\"\n\
                 ca_file = \"ca.pem\"\n"
            );
            fs::write(file, text)?;
        }
        Ok(())
    }
}
