//! Clouds: where Entra and Azure Resource Manager answer, and what they call things.
//!
//! The three clouds of Microsoft are rows of data; any other, the sandbox among them, is a TOML file:
//!
//! ```toml
//! name = "sandbox"
//! authority = "https://localhost:8443"
//! resource_manager = "https://localhost:8443"
//! ca_file = "ca.pem"            # added to the system's roots; relative to this file
//! ```
//!
//! `resource_manager_scope`, `ssh_scope` and `client_id` may be given too; else they are the public cloud's. A key that
//! is not known is an error that names it.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use url::Url;

use crate::ids::ClientId;

/// The scope of the "Azure Linux VM Sign-In" application, the same in every cloud.
const SSH_SCOPE: &str = "ce6ff14a-7fdc-4685-bbe0-f6afdfcfa8e0/.default";
/// The Azure CLI's public client, which is pre-authorised for that scope.
const CLIENT_ID: &str = "04b07795-8ddb-461a-bbee-02f9e1bf7b46";
/// The scope for Azure Resource Manager; the double slash belongs to it.
const RESOURCE_MANAGER_SCOPE: &str = "https://management.core.windows.net//.default";

/// Names of the built-in clouds, as the Azure CLI writes them.
pub const BUILT_IN: [&str; 3] = ["AzureCloud", "AzureUSGovernment", "AzureChinaCloud"];

/// One cloud: its endpoints, scopes and client.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Cloud {
    /// The name that is shown.
    pub name: String,
    /// Where Entra answers, without the tenant: `https://login.microsoftonline.com`.
    pub authority: Url,
    /// Where Azure Resource Manager answers: `https://management.azure.com`.
    pub resource_manager: Url,
    /// The OAuth 2.0 scope of a token for Azure Resource Manager.
    #[serde(default = "default_resource_manager_scope")]
    pub resource_manager_scope: String,
    /// The OAuth 2.0 scope of an SSH certificate.
    #[serde(default = "default_ssh_scope")]
    pub ssh_scope: String,
    /// The public client that people sign in with.
    #[serde(default = "default_client_id")]
    pub client_id: ClientId,
    /// A file with further root certificates in PEM.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
}

impl Cloud {
    /// Returns the built-in cloud of this name, without regard to case.
    #[must_use]
    pub fn built_in(name: &str) -> Option<Self> {
        let index = BUILT_IN
            .iter()
            .position(|built_in| built_in.eq_ignore_ascii_case(name))?;
        let (authority, resource_manager, scope) = match index {
            0 => (
                "https://login.microsoftonline.com",
                "https://management.azure.com",
                RESOURCE_MANAGER_SCOPE,
            ),
            1 => (
                "https://login.microsoftonline.us",
                "https://management.usgovcloudapi.net",
                "https://management.core.usgovcloudapi.net//.default",
            ),
            _ => (
                "https://login.chinacloudapi.cn",
                "https://management.chinacloudapi.cn",
                "https://management.core.chinacloudapi.cn//.default",
            ),
        };
        Some(Self {
            name: BUILT_IN.get(index).copied().unwrap_or_default().to_owned(),
            authority: Url::parse(authority).ok()?,
            resource_manager: Url::parse(resource_manager).ok()?,
            resource_manager_scope: scope.to_owned(),
            ssh_scope: SSH_SCOPE.to_owned(),
            client_id: default_client_id(),
            ca_file: None,
        })
    }

    /// Parses a cloud file; `folder` is where the file lies, for the paths in it.
    ///
    /// # Errors
    /// [`CloudError::Syntax`] if it is no TOML, misses a key or has one that is not known; [`CloudError::NotHttps`] if an
    /// endpoint is not https.
    pub fn parse(toml: &str, folder: &Path) -> Result<Self, CloudError> {
        let mut cloud: Self = toml::from_str(toml).map_err(|error| CloudError::Syntax {
            message: error.message().to_owned(),
        })?;
        for (key, url) in [
            ("authority", &cloud.authority),
            ("resource_manager", &cloud.resource_manager),
        ] {
            if url.scheme() != "https" || url.host_str().is_none() {
                return Err(CloudError::NotHttps {
                    key,
                    url: url.to_string(),
                });
            }
        }
        cloud.ca_file = cloud.ca_file.map(|file| folder.join(file));
        Ok(cloud)
    }
}

fn default_resource_manager_scope() -> String {
    RESOURCE_MANAGER_SCOPE.to_owned()
}

fn default_ssh_scope() -> String {
    SSH_SCOPE.to_owned()
}

#[expect(
    clippy::expect_used,
    reason = "the constant is a GUID, which a test of this file proves"
)]
fn default_client_id() -> ClientId {
    CLIENT_ID.parse().expect("a GUID")
}

/// What is wrong with a cloud file.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CloudError {
    /// An endpoint is not https.
    #[error("`{key}` must be an https address, not `{url}`")]
    NotHttps {
        /// The key in the file.
        key: &'static str,
        /// What stands there.
        url: String,
    },
    /// The file is no TOML, or its keys are not those of a cloud.
    #[error("{message}")]
    Syntax {
        /// What the parser said, which names the key.
        message: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    const SANDBOX: &str = "name = \"sandbox\"\nauthority = \"https://localhost:8443\"\n\
        resource_manager = \"https://localhost:8443\"\nca_file = \"ca.pem\"\n";

    #[test]
    fn built_in_clouds_are_found_without_regard_to_case() {
        for name in BUILT_IN {
            let cloud = Cloud::built_in(&name.to_uppercase()).unwrap();
            assert_eq!(cloud.name, name);
            assert_eq!(cloud.client_id.as_str(), CLIENT_ID);
        }
        assert!(Cloud::built_in("AzureGermanCloud").is_none());
    }

    #[test]
    fn a_file_needs_two_endpoints_and_its_paths_are_relative_to_it() {
        let cloud = Cloud::parse(SANDBOX, Path::new("/clouds")).unwrap();
        assert_eq!(cloud.ca_file.unwrap(), Path::new("/clouds/ca.pem"));
        assert_eq!(cloud.ssh_scope, SSH_SCOPE);
    }

    #[test]
    fn reject_unknown_keys_by_name() {
        let error =
            Cloud::parse(&format!("{SANDBOX}authorithy = \"x\"\n"), Path::new("/")).unwrap_err();
        assert!(error.to_string().contains("authorithy"), "{error}");
    }

    #[test]
    fn reject_http_also_on_loopback() {
        let error = Cloud::parse(&SANDBOX.replace("https", "http"), Path::new("/")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`authority` must be an https address, not `http://localhost:8443/`"
        );
    }
}
