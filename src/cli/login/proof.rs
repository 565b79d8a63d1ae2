//! What a pipeline signs in with: read from files, variables and standard input.

use std::path::{Path, PathBuf};

use url::Url;
use zeroize::Zeroizing;

use super::super::path_arg::absolute;
use crate::entra::{ClientCertificate, ClientCertificateError, OidcRequest, Proof};
use crate::failure::{Failure, FailureKind, file_failure};
use crate::host::env::Env;
use crate::host::files;
use crate::ids::ClientId;
use crate::keyring::entry::Entry;
use crate::secret::{Secret, SecretBytes};
use crate::session::Method;

/// The longest client secret or password that is read, in bytes.
const MAX_SECRET_BYTES: usize = 4096;
/// The longest file with a certificate and its key that is read, in bytes.
const MAX_CERTIFICATE_BYTES: usize = 256 * 1024;

/// Returns what the profile and the keyring hold of a proof.
pub(super) fn to_kept(client_id: ClientId, proof: Proof) -> (Method, Option<Entry>) {
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

/// Reads a secret text from a file (`-` for standard input).
pub(super) fn read_secret(file: &Path, what: &str) -> Result<Secret, Failure> {
    let read = if file.as_os_str() == "-" {
        files::read_stream_capped(std::io::stdin().lock(), MAX_SECRET_BYTES)
    } else {
        files::read_capped(file, MAX_SECRET_BYTES)
    };
    let bytes = Zeroizing::new(
        read.map_err(|error| file_failure(&format!("read {what} from"), file, &error))?,
    );
    let refused = |problem: &str| {
        Failure::new(format!("`{}` {problem}", file.display()))
            .hint(format!("it must hold {what}'s value and nothing else"))
    };
    let text = files::decode_text(&bytes).ok_or_else(|| refused("holds no text"))?;
    let text = text.trim();
    if text.is_empty() {
        return Err(refused("is empty"));
    }
    Ok(Secret::new(text.to_owned()))
}

/// Reads a certificate and its key; without a password of its own, it is that of the variable that the Azure SDK reads.
pub(super) fn read_certificate(
    env: &Env,
    file: &Path,
    password: Option<Secret>,
) -> Result<Proof, Failure> {
    let password = password.or_else(|| {
        let password = env.var("AZURE_CLIENT_CERTIFICATE_PASSWORD")?;
        Some(Secret::new(password.to_owned()))
    });
    let bytes = files::read_capped(file, MAX_CERTIFICATE_BYTES)
        .map_err(|error| file_failure("read the client certificate from", file, &error))?;
    let parsed = ClientCertificate::parse(&SecretBytes::new(bytes), password.as_ref());
    parsed.map(Proof::Certificate).map_err(|error| {
        let message = format!("cannot use the client certificate in `{}`", file.display());
        Failure::new(message).caused_by(&error).hint(match error {
            ClientCertificateError::OnlyDer { .. } => {
                "put both into one file: openssl pkcs12 -export -in CERTIFICATE -inkey KEY -out app.pfx"
            }
            _ => {
                "name a PEM file with certificate and key, or a PKCS#12 file and its password: --client-certificate FILE \
                 --client-certificate-password-file FILE"
            }
        })
    })
}

/// Returns the proof that lies in a file which something else keeps fresh.
pub(super) fn token_file(file: &Path) -> Result<Proof, Failure> {
    Ok(Proof::TokenFile(absolute(file)?))
}

/// Returns the proof of a GitHub Actions workflow.
pub(super) fn github_actions(env: &Env) -> Result<Proof, Failure> {
    let request = oidc_request(
        env,
        "ACTIONS_ID_TOKEN_REQUEST_URL",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
    );
    request?.map(Proof::GitHubActions).ok_or_else(|| {
        Failure::new("this is no GitHub Actions job that may ask for an ID token")
            .kind(FailureKind::Usage)
            .hint("give the job the right to: permissions: id-token: write")
    })
}

/// Returns the proof of an Azure Pipelines job.
pub(super) fn azure_pipelines(env: &Env, connection: Option<String>) -> Result<Proof, Failure> {
    let Some(request) = oidc_request(env, "SYSTEM_OIDCREQUESTURI", "SYSTEM_ACCESSTOKEN")? else {
        return Err(
            Failure::new("this is no Azure Pipelines job that may ask for an ID token")
                .kind(FailureKind::Usage)
                .hint(
                    "hand the step the job's token: env: SYSTEM_ACCESSTOKEN: $(System.AccessToken)",
                ),
        );
    };
    let named = || env.var("AZURESUBSCRIPTION_SERVICE_CONNECTION_ID");
    let service_connection_id = connection.or_else(|| named().map(str::to_owned));
    Ok(Proof::AzurePipelines {
        request,
        service_connection_id: service_connection_id.ok_or_else(|| {
            Failure::new("no service connection is named")
                .kind(FailureKind::Usage)
                .hint("name it: --service-connection-id ID")
        })?,
    })
}

fn oidc_request(env: &Env, url: &str, token: &str) -> Result<Option<OidcRequest>, Failure> {
    let (Some(address), Some(token)) = (env.var(url), env.var(token)) else {
        return Ok(None);
    };
    let parsed = Url::parse(address)
        .ok()
        .filter(|parsed| parsed.scheme() == "https");
    let parsed = parsed.ok_or_else(|| {
        Failure::new(format!("`{url}` is no https address")).hint("let the pipeline set it")
    })?;
    Ok(Some(OidcRequest {
        url: parsed,
        token: Secret::new(token.to_owned()),
    }))
}

/// Returns the proof of this machine's managed identity, for an application that trusts it. A managed identity by itself gets
/// no certificate, and Cloud Shell has none: it is signed in as the user. Both are refused before any request.
pub(super) fn managed_identity(
    env: &Env,
    client_id: Option<&ClientId>,
    identity: Option<ClientId>,
) -> Result<Proof, Failure> {
    if is_cloud_shell(env) {
        return Err(Failure::new("Cloud Shell has no managed identity")
            .hint("sign in as yourself: entra-ssh login --device-code"));
    }
    if client_id.is_none() {
        return Err(
            Failure::new("a managed identity gets no certificates of its own")
                .kind(FailureKind::Usage)
                .hint(MANAGED_IDENTITY_HINT),
        );
    }
    Ok(Proof::ManagedIdentity(identity))
}

/// How a managed identity comes to a certificate all the same.
pub(in super::super) const MANAGED_IDENTITY_HINT: &str = "let an application trust it as a federated credential (az ad app \
    federated-credential create --id APP), then: entra-ssh login --managed-identity --client-id APP --tenant ID";

/// Tells whether this is Azure Cloud Shell.
pub(in super::super) fn is_cloud_shell(env: &Env) -> bool {
    let has = |name| env.var_os(name).is_some();
    env.var("AZUREPS_HOST_ENVIRONMENT")
        .is_some_and(|host| host.starts_with("cloud-shell"))
        || has("ACC_CLOUD")
        || (has("MSI_ENDPOINT") && !has("MSI_SECRET") && !has("IDENTITY_ENDPOINT"))
}

/// Tells whether the machine offers a managed identity by variables.
pub(in super::super) fn offers_managed_identity(env: &Env) -> bool {
    ["IDENTITY_ENDPOINT", "MSI_ENDPOINT"]
        .iter()
        .any(|name| env.var_os(name).is_some())
}

/// Returns a path of a variable.
pub(super) fn path(env: &Env, name: &str) -> Option<PathBuf> {
    env.var_os(name).map(PathBuf::from)
}
