use std::path::PathBuf;

use clap::{ArgGroup, Args};

use super::super::key_args::KeyArgs;
use super::super::path_arg;
use crate::ids::{ClientId, TenantId};
use crate::session::Flow;

/// Sign in to Entra ID, as a user or as a service principal
///
/// A user signs in in the browser of this machine; with --no-browser, in any browser; with --device-code, by entering a code
/// in any browser. A pipeline signs in as a service principal: with a secret or certificate of its own, or with a token that
/// the pipeline issues. It need not sign in at all if `AZURE_CLIENT_ID`, `AZURE_TENANT_ID` and one of `AZURE_CLIENT_SECRET`,
/// `AZURE_CLIENT_CERTIFICATE_PATH` and `AZURE_FEDERATED_TOKEN_FILE` are set.
#[derive(Args, Debug)]
#[command(
    group = ArgGroup::new("proof").args([
        "service_principal", "federated_token_file", "github_actions", "azure_pipelines", "managed_identity",
    ]),
    after_help = "Examples:\n  entra-ssh login\n  entra-ssh login --device-code --tenant contoso.com\n  \
        entra-ssh login --service-principal --client-id ID --tenant ID \\\n    \
        --client-secret-file - <secret\n  \
        entra-ssh login --service-principal --client-id ID --tenant ID \\\n    \
        --client-certificate app.pem\n  \
        entra-ssh login --github-actions --client-id ID --tenant ID"
)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option")]
pub(in super::super) struct LoginArgs {
    /// Show a code to enter in any browser
    #[arg(long, conflicts_with_all = ["proof", "no_browser"])]
    pub(super) device_code: bool,
    /// Print the address to open, and read the address that the browser ends at
    #[arg(long, conflicts_with = "proof")]
    pub(super) no_browser: bool,
    /// Suggest this account on the sign-in page
    #[arg(long, value_name = "UPN", conflicts_with_all = ["proof", "device_code"])]
    pub(super) login_hint: Option<String>,
    /// Tenant, by ID or domain [default: the user's home tenant]
    #[arg(long, env = "ENTRA_SSH_TENANT")]
    pub(super) tenant: Option<TenantId>,
    /// Application of the service principal [env: `ENTRA_SSH_CLIENT_ID`]
    #[arg(long, value_name = "ID", requires = "proof")]
    pub(super) client_id: Option<ClientId>,
    /// Sign in as a service principal, with --client-secret-file, `ENTRA_SSH_CLIENT_SECRET` or --client-certificate
    #[arg(long)]
    pub(super) service_principal: bool,
    /// Read the client secret from FILE (- for standard input)
    #[arg(
        long,
        value_name = "FILE",
        requires = "service_principal",
        conflicts_with = "client_certificate"
    )]
    #[arg(value_parser = path_arg::parser())]
    pub(super) client_secret_file: Option<PathBuf>,
    /// Use the certificate and RSA key in FILE (PEM or PKCS#12)
    #[arg(long, value_name = "FILE", requires = "service_principal", value_parser = path_arg::parser())]
    pub(super) client_certificate: Option<PathBuf>,
    /// Read the password of the PKCS#12 file from FILE (- for standard input) [default:
    /// `AZURE_CLIENT_CERTIFICATE_PASSWORD`]
    #[arg(long, value_name = "FILE", requires = "client_certificate", value_parser = path_arg::parser())]
    pub(super) client_certificate_password_file: Option<PathBuf>,
    /// Use the token in FILE, which something else keeps fresh, as in Kubernetes; read for every request
    #[arg(long, value_name = "FILE", value_parser = path_arg::parser())]
    pub(super) federated_token_file: Option<PathBuf>,
    /// Use a token of this GitHub Actions workflow; needs `permissions: id-token: write`
    #[arg(long)]
    pub(super) github_actions: bool,
    /// Use a token of this Azure Pipelines job; needs `SYSTEM_ACCESSTOKEN`
    #[arg(long)]
    pub(super) azure_pipelines: bool,
    /// Service connection of --azure-pipelines [default: `AZURESUBSCRIPTION_SERVICE_CONNECTION_ID`]
    #[arg(long, value_name = "ID", requires = "azure_pipelines")]
    pub(super) service_connection_id: Option<String>,
    /// Use a token of this machine's managed identity, which the application of --client-id trusts
    #[arg(long)]
    pub(super) managed_identity: bool,
    /// User-assigned identity of --managed-identity [default: the system-assigned one]
    #[arg(long, value_name = "ID", requires = "managed_identity")]
    pub(super) identity_client_id: Option<ClientId>,
    #[command(flatten)]
    pub(super) keys: KeyArgs,
}

impl LoginArgs {
    pub(super) const fn is_for_a_pipeline(&self) -> bool {
        self.service_principal
            || self.federated_token_file.is_some()
            || self.github_actions
            || self.azure_pipelines
            || self.managed_identity
    }

    pub(super) const fn flow(&self) -> Flow {
        if self.device_code {
            Flow::DeviceCode
        } else if self.no_browser {
            Flow::NoBrowser
        } else {
            Flow::Browser
        }
    }
}
