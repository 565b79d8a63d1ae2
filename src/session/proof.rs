//! What a pipeline signs in with: read from files and variables.

use std::path::{Path, PathBuf};

use url::Url;

use crate::entra::{ClientCertificate, OidcRequest, Proof};
use crate::host::env::Env;
use crate::host::{files, paths};
use crate::ids::ClientId;
use crate::keyring::entry::Entry;
use crate::secret::{Secret, SecretBytes};
use crate::session::error::ProofError;
use crate::session::profile::Method;

/// The longest file with a certificate and its key that is read, in bytes.
const MAX_CERTIFICATE_BYTES: usize = 256 * 1024;

/// Returns what the profile and the keyring keep of a proof.
pub(crate) fn to_stored(client_id: ClientId, proof: Proof) -> (Method, Option<Entry>) {
    let request = |request: OidcRequest| Entry::OidcRequest {
        url: Secret::new(request.url.into()),
        token: request.token,
    };
    match proof {
        Proof::AzurePipelines {
            request: from,
            service_connection_id,
        } => {
            let method = Method::AzurePipelines {
                client_id,
                service_connection_id,
            };
            (method, Some(request(from)))
        }
        Proof::Certificate(ClientCertificate { key, certificate }) => {
            let entry = Entry::ClientCertificate { key, certificate };
            (Method::ClientCertificate { client_id }, Some(entry))
        }
        Proof::GitHubActions(from) => (Method::GithubActions { client_id }, Some(request(from))),
        Proof::ManagedIdentity(identity) => {
            let method = Method::ManagedIdentity {
                client_id,
                identity,
            };
            (method, None)
        }
        Proof::Secret(secret) => {
            let entry = Entry::ClientSecret(secret);
            (Method::ClientSecret { client_id }, Some(entry))
        }
        Proof::TokenFile(file) => (Method::TokenFile { client_id, file }, None),
    }
}

/// Reads a certificate and its key. Without a password, takes the one of the variable that the Azure SDK reads.
///
/// # Errors
/// [`ProofError`] if the file cannot be read or holds no usable certificate.
pub(crate) fn read_certificate(
    env: &Env,
    file: &Path,
    password: Option<Secret>,
) -> Result<Proof, ProofError> {
    let password = password.or_else(|| {
        let password = env.var("AZURE_CLIENT_CERTIFICATE_PASSWORD")?;
        Some(Secret::new(password.to_owned()))
    });
    let bytes = files::read_capped(file, MAX_CERTIFICATE_BYTES).map_err(|source| {
        ProofError::CertificateFile {
            path: file.to_owned(),
            source,
        }
    })?;
    let parsed = ClientCertificate::parse(&SecretBytes::new(bytes), password.as_ref());
    parsed
        .map(Proof::Certificate)
        .map_err(|source| ProofError::Certificate {
            path: file.to_owned(),
            source,
        })
}

/// Returns the proof in a file that something else keeps fresh.
///
/// # Errors
/// [`ProofError`] if its path cannot be used.
pub(crate) fn token_file(file: &Path) -> Result<Proof, ProofError> {
    let path = std::path::absolute(file).map_err(|source| ProofError::TokenFile {
        path: file.to_owned(),
        source,
    })?;
    paths::without_control_characters(&path)?;
    Ok(Proof::TokenFile(path))
}

/// Returns the proof of a GitHub Actions workflow.
///
/// # Errors
/// [`ProofError::NotGithubActions`] if this is not a job that may request an ID token.
pub(crate) fn github_actions(env: &Env) -> Result<Proof, ProofError> {
    let request = oidc_request(
        env,
        "ACTIONS_ID_TOKEN_REQUEST_URL",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
    );
    request?
        .map(Proof::GitHubActions)
        .ok_or(ProofError::NotGithubActions)
}

/// Returns the proof of an Azure Pipelines job.
///
/// # Errors
/// [`ProofError::NotAzurePipelines`] if this is not a job that may request an ID token; [`ProofError::NoServiceConnection`]
/// if nothing names its service connection.
pub(crate) fn azure_pipelines(env: &Env, connection: Option<String>) -> Result<Proof, ProofError> {
    let request = oidc_request(env, "SYSTEM_OIDCREQUESTURI", "SYSTEM_ACCESSTOKEN")?
        .ok_or(ProofError::NotAzurePipelines)?;
    let named = || env.var("AZURESUBSCRIPTION_SERVICE_CONNECTION_ID");
    let service_connection_id = connection
        .or_else(|| named().map(str::to_owned))
        .ok_or(ProofError::NoServiceConnection)?;
    Ok(Proof::AzurePipelines {
        request,
        service_connection_id,
    })
}

fn oidc_request(
    env: &Env,
    url: &'static str,
    token: &str,
) -> Result<Option<OidcRequest>, ProofError> {
    let (Some(address), Some(token)) = (env.var(url), env.var(token)) else {
        return Ok(None);
    };
    let parsed = Url::parse(address)
        .ok()
        .filter(|parsed| parsed.scheme() == "https")
        .ok_or(ProofError::NotHttps { variable: url })?;
    Ok(Some(OidcRequest {
        url: parsed,
        token: Secret::new(token.to_owned()),
    }))
}

/// Returns the proof of this machine's managed identity, for an application that trusts it. Refuses before any request what
/// cannot work: a managed identity by itself gets no certificate, and Cloud Shell has none, since it is signed in as the user.
///
/// # Errors
/// [`ProofError::CloudShell`] and [`ProofError::ManagedIdentityAlone`].
pub(crate) fn managed_identity(
    env: &Env,
    client_id: Option<&ClientId>,
    identity: Option<ClientId>,
) -> Result<Proof, ProofError> {
    if is_cloud_shell(env) {
        return Err(ProofError::CloudShell);
    }
    if client_id.is_none() {
        return Err(ProofError::ManagedIdentityAlone);
    }
    Ok(Proof::ManagedIdentity(identity))
}

/// Returns whether this is Azure Cloud Shell.
pub(crate) fn is_cloud_shell(env: &Env) -> bool {
    let has = |name| env.var_os(name).is_some();
    env.var("AZUREPS_HOST_ENVIRONMENT")
        .is_some_and(|host| host.starts_with("cloud-shell"))
        || has("ACC_CLOUD")
        || (has("MSI_ENDPOINT") && !has("MSI_SECRET") && !has("IDENTITY_ENDPOINT"))
}

/// Returns whether the machine offers a managed identity by variables.
pub(crate) fn offers_managed_identity(env: &Env) -> bool {
    ["IDENTITY_ENDPOINT", "MSI_ENDPOINT"]
        .iter()
        .any(|name| env.var_os(name).is_some())
}

/// Returns a path of a variable.
pub(super) fn path(env: &Env, name: &str) -> Option<PathBuf> {
    env.var_os(name).map(PathBuf::from)
}
