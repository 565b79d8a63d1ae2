//! Clouds: the endpoints, scopes and client IDs of Entra and Azure Resource Manager.
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
//! `resource_manager_scope`, `ssh_scope`, `token_exchange_audience` and `client_id` are optional; by default they are the
//! public cloud's. With `base = "AzureUSGovernment"` all that the file does not say is that cloud's. An unknown key is
//! an error that names it.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use url::Url;

use crate::ids::ClientId;

/// The scope of the application "Azure Linux VM Sign-In", the same in every cloud.
const SSH_SCOPE: &str = "ce6ff14a-7fdc-4685-bbe0-f6afdfcfa8e0/.default";
/// The Azure CLI's public client, which is pre-authorised for that scope.
const CLIENT_ID: &str = "04b07795-8ddb-461a-bbee-02f9e1bf7b46";
/// The scope for Azure Resource Manager; the double slash belongs to it.
const RESOURCE_MANAGER_SCOPE: &str = "https://management.core.windows.net//.default";

/// The audience of tokens that Entra accepts as client assertions.
const TOKEN_EXCHANGE_AUDIENCE: &str = "api://AzureADTokenExchange";

/// Names of the built-in clouds, as the Azure CLI writes them.
pub(crate) const BUILT_IN: [&str; 3] = ["AzureCloud", "AzureUSGovernment", "AzureChinaCloud"];

/// One cloud: its endpoints, scopes and client.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Cloud {
    /// The name that is shown.
    pub name: String,
    /// Where Entra answers, without the tenant: `https://login.microsoftonline.com`.
    pub authority: Url,
    /// Where Azure Resource Manager answers: `https://management.azure.com`.
    pub resource_manager: Url,
    /// The OAuth 2.0 scope of a token for Azure Resource Manager.
    pub resource_manager_scope: String,
    /// The OAuth 2.0 scope of an SSH certificate.
    pub ssh_scope: String,
    /// The audience of a token that an application presents as its client assertion (RFC 7523).
    pub token_exchange_audience: String,
    /// The public client that users sign in with.
    pub client_id: ClientId,
    /// A file with further root certificates in PEM.
    pub ca_file: Option<PathBuf>,
}

/// The keys of a cloud file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CloudFile {
    name: String,
    base: Option<String>,
    authority: Option<String>,
    resource_manager: Option<String>,
    resource_manager_scope: Option<String>,
    ssh_scope: Option<String>,
    token_exchange_audience: Option<String>,
    client_id: Option<ClientId>,
    ca_file: Option<PathBuf>,
}

impl Cloud {
    /// Returns the built-in cloud of this name, without regard to case.
    #[must_use]
    pub fn built_in(name: &str) -> Option<Self> {
        let index = BUILT_IN
            .iter()
            .position(|built_in| built_in.eq_ignore_ascii_case(name))?;
        let (authority, resource_manager, scope, suffix) = match index {
            0 => (
                "https://login.microsoftonline.com",
                "https://management.azure.com",
                RESOURCE_MANAGER_SCOPE,
                "",
            ),
            1 => (
                "https://login.microsoftonline.us",
                "https://management.usgovcloudapi.net",
                "https://management.core.usgovcloudapi.net//.default",
                "USGov",
            ),
            _ => (
                "https://login.chinacloudapi.cn",
                "https://management.chinacloudapi.cn",
                "https://management.core.chinacloudapi.cn//.default",
                "China",
            ),
        };
        Some(Self {
            name: BUILT_IN.get(index).copied().unwrap_or_default().to_owned(),
            authority: Url::parse(authority).ok()?,
            resource_manager: Url::parse(resource_manager).ok()?,
            resource_manager_scope: scope.to_owned(),
            ssh_scope: SSH_SCOPE.to_owned(),
            token_exchange_audience: format!("{TOKEN_EXCHANGE_AUDIENCE}{suffix}"),
            client_id: default_client_id(),
            ca_file: None,
        })
    }

    /// Parses a cloud file; `folder` is where the file lies, for the paths in it.
    ///
    /// # Errors
    /// [`CloudError::Syntax`] if it is not TOML, lacks a key or has an unknown one; [`CloudError::NotHttps`] if an
    /// endpoint is not https; [`CloudError::UnknownBase`] if it is based on a cloud that is not built in.
    pub fn parse(toml: &str, folder: &Path) -> Result<Self, CloudError> {
        let file: CloudFile = toml::from_str(toml).map_err(|error| CloudError::Syntax {
            message: error.message().to_owned(),
        })?;
        let base = match &file.base {
            Some(name) => Some(
                Self::built_in(name)
                    .ok_or_else(|| CloudError::UnknownBase { name: name.clone() })?,
            ),
            None => None,
        };
        let inherited = base.as_ref();
        let default = |choose: fn(&Self) -> &String, value: &str| {
            inherited.map_or_else(|| value.to_owned(), |base| choose(base).clone())
        };
        Ok(Self {
            authority: endpoint(
                "authority",
                file.authority.as_deref(),
                inherited.map(|base| &base.authority),
            )?,
            resource_manager: endpoint(
                "resource_manager",
                file.resource_manager.as_deref(),
                inherited.map(|base| &base.resource_manager),
            )?,
            resource_manager_scope: file.resource_manager_scope.unwrap_or_else(|| {
                default(|base| &base.resource_manager_scope, RESOURCE_MANAGER_SCOPE)
            }),
            ssh_scope: file
                .ssh_scope
                .unwrap_or_else(|| default(|base| &base.ssh_scope, SSH_SCOPE)),
            token_exchange_audience: file.token_exchange_audience.unwrap_or_else(|| {
                default(
                    |base| &base.token_exchange_audience,
                    TOKEN_EXCHANGE_AUDIENCE,
                )
            }),
            client_id: file.client_id.unwrap_or_else(default_client_id),
            ca_file: file.ca_file.map(|path| folder.join(path)),
            name: file.name,
        })
    }
}

/// Reads an endpoint, or takes that of the cloud that the file is based on.
fn endpoint(
    key: &'static str,
    given: Option<&str>,
    inherited: Option<&Url>,
) -> Result<Url, CloudError> {
    let url = match (given, inherited) {
        // What cannot be parsed may hold a password all the same, and is not repeated.
        (Some(given), _) => Url::parse(given).map_err(|error| CloudError::Syntax {
            message: format!("`{key}` is not an https address: {error}"),
        })?,
        (None, Some(inherited)) => inherited.clone(),
        (None, None) => {
            return Err(CloudError::Syntax {
                message: format!("missing field `{key}`: set it, or set `base`"),
            });
        }
    };
    if has_credentials(&url) {
        return Err(CloudError::Credentials { key });
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(CloudError::Query { key });
    }
    if url.scheme() == "https" && url.host_str().is_some() {
        return Ok(url);
    }
    let url = url.to_string();
    Err(CloudError::NotHttps { key, url })
}

/// Returns whether an address holds a user name or a password, which would be printed with it.
#[must_use]
pub(crate) fn has_credentials(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

#[expect(
    clippy::expect_used,
    reason = "the constant is a GUID, which a test of this file proves"
)]
fn default_client_id() -> ClientId {
    CLIENT_ID.parse().expect("a GUID")
}

/// Why a cloud file is invalid.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CloudError {
    /// An endpoint holds a user name or a password; neither is sent or printed.
    #[error("`{key}` must not hold a user name or password")]
    Credentials {
        /// The key in the file.
        key: &'static str,
    },
    /// An endpoint is not https.
    #[error("`{key}` must be an https address, not `{url}`")]
    NotHttps {
        /// The key in the file.
        key: &'static str,
        /// What stands there.
        url: String,
    },
    /// An endpoint has a query or a fragment, which cannot stand before a path.
    #[error("`{key}` must end before `?` and `#`")]
    Query {
        /// The key in the file.
        key: &'static str,
    },
    /// The file is not TOML, or its keys are not those of a cloud.
    #[error("{message}")]
    Syntax {
        /// What the parser said, which names the key.
        message: String,
    },
    /// It is based on a cloud that is not built in.
    #[error("unknown cloud `{name}` in `base`: expected a built-in one")]
    UnknownBase {
        /// What stands there.
        name: String,
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
    fn a_file_may_override_one_endpoint_of_a_built_in_cloud() {
        let text = "name = \"private\"\nbase = \"AzureUSGovernment\"\nauthority = \"https://login.example\"\n";
        let cloud = Cloud::parse(text, Path::new("/")).unwrap();
        let base = Cloud::built_in("AzureUSGovernment").unwrap();
        assert_eq!(cloud.authority.as_str(), "https://login.example/");
        assert_eq!(cloud.resource_manager, base.resource_manager);
        assert_eq!(
            cloud.token_exchange_audience,
            "api://AzureADTokenExchangeUSGov"
        );
        let error =
            Cloud::parse(&text.replace("USGovernment", "Mars"), Path::new("/")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "unknown cloud `AzureMars` in `base`: expected a built-in one"
        );
    }

    #[test]
    fn reject_unknown_keys_by_name() {
        let error =
            Cloud::parse(&format!("{SANDBOX}authorithy = \"x\"\n"), Path::new("/")).unwrap_err();
        assert!(error.to_string().contains("authorithy"), "{error}");
    }

    #[test]
    fn reject_a_user_name_or_password_in_an_endpoint_without_repeating_it() {
        for (given, key) in [
            ("authority = \"https://ada:hunter2@localhost", "authority"),
            (
                "resource_manager = \"http://:hunter2@localhost",
                "resource_manager",
            ),
            ("authority = \"https://hunter2@localhost", "authority"),
        ] {
            let line = format!("{key} = \"https://localhost");
            let text = SANDBOX.replacen(&line, given, 1);
            let error = Cloud::parse(&text, Path::new("/")).unwrap_err().to_string();
            assert_eq!(
                error,
                format!("`{key}` must not hold a user name or password")
            );
        }
    }

    #[test]
    fn an_endpoint_that_is_no_address_is_refused_without_repeating_it() {
        for given in [
            "https://ada:hunter2@:x",
            "//ada:hunter2@localhost",
            "hunter2",
        ] {
            let text = SANDBOX.replacen("https://localhost:8443", given, 1);
            let error = Cloud::parse(&text, Path::new("/")).unwrap_err().to_string();
            assert!(
                error.starts_with("`authority` is not an https address: "),
                "{error}"
            );
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn reject_a_query_in_an_endpoint_since_paths_are_added_to_it() {
        let text = SANDBOX.replacen(":8443", ":8443/?a=b", 1);
        let error = Cloud::parse(&text, Path::new("/")).unwrap_err();
        assert_eq!(error.to_string(), "`authority` must end before `?` and `#`");
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
