mod browser;
mod device_code;
mod person;
mod secret_file;
mod service_principal;
pub(super) mod step_up;

use std::path::PathBuf;

use clap::{ArgGroup, Args};
use serde_json::json;

use super::context::Context;
use super::key_args::KeyArgs;
use super::login_names;
use super::path_arg;
use super::ui::Ui;
use crate::cloud::Cloud;
use crate::failure::Failure;
use crate::host::http::Http;
use crate::ids::{ClientId, TenantId};
use crate::keyring::{Backend, Keyring};
use crate::session::Flow;

/// Sign in to Entra ID, as a person or as a service principal
///
/// A person signs in in the browser of this machine; with --no-browser, in any browser; with --device-code, by entering a
/// code in any browser. A pipeline signs in as a service principal: with a secret or a certificate of its own, or with a
/// token that the pipeline issues. Where the variables `AZURE_CLIENT_ID`, `AZURE_TENANT_ID` and `AZURE_CLIENT_SECRET`,
/// `AZURE_CLIENT_CERTIFICATE_PATH` or `AZURE_FEDERATED_TOKEN_FILE` are set, it need not sign in at all.
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
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an option that is given or not"
)]
pub(super) struct LoginArgs {
    /// Show a code that is entered in a browser anywhere
    #[arg(long, conflicts_with_all = ["proof", "no_browser"])]
    device_code: bool,
    /// Print the address to open, and take the address that the browser ends at
    #[arg(long, conflicts_with = "proof")]
    no_browser: bool,
    /// Propose this account on the page
    #[arg(long, value_name = "UPN", conflicts_with_all = ["proof", "device_code"])]
    login_hint: Option<String>,
    /// The tenant, by ID or domain; without it, the home tenant of whoever signs in
    #[arg(long, env = "ENTRA_SSH_TENANT")]
    tenant: Option<TenantId>,
    /// The service principal's application [env: `ENTRA_SSH_CLIENT_ID`]
    #[arg(long, value_name = "ID", requires = "proof")]
    client_id: Option<ClientId>,
    /// Sign in as a service principal, with the secret of --client-secret-file or `ENTRA_SSH_CLIENT_SECRET`, or with
    /// --client-certificate
    #[arg(long)]
    service_principal: bool,
    /// Read the client secret from this file (- for standard input)
    #[arg(
        long,
        value_name = "FILE",
        requires = "service_principal",
        conflicts_with = "client_certificate"
    )]
    #[arg(value_parser = path_arg::parser())]
    client_secret_file: Option<PathBuf>,
    /// Use the certificate and RSA key in this file, PEM or PKCS#12
    #[arg(long, value_name = "FILE", requires = "service_principal", value_parser = path_arg::parser())]
    client_certificate: Option<PathBuf>,
    /// Read the password of the PKCS#12 file from this file (- for standard input); else it is taken from
    /// `AZURE_CLIENT_CERTIFICATE_PASSWORD`
    #[arg(long, value_name = "FILE", requires = "client_certificate", value_parser = path_arg::parser())]
    client_certificate_password_file: Option<PathBuf>,
    /// Use the token that something else keeps fresh in this file, as in Kubernetes; it is read anew for every request
    #[arg(long, value_name = "FILE", value_parser = path_arg::parser())]
    federated_token_file: Option<PathBuf>,
    /// Use a token of the GitHub Actions workflow that this runs in; it needs `permissions: id-token: write`
    #[arg(long)]
    github_actions: bool,
    /// Use a token of the Azure Pipelines job that this runs in; it needs `SYSTEM_ACCESSTOKEN`
    #[arg(long)]
    azure_pipelines: bool,
    /// The service connection of --azure-pipelines, if `AZURESUBSCRIPTION_SERVICE_CONNECTION_ID` does not name it
    #[arg(long, value_name = "ID", requires = "azure_pipelines")]
    service_connection_id: Option<String>,
    /// Use a token of this machine's managed identity, which the application of --client-id trusts
    #[arg(long)]
    managed_identity: bool,
    /// The user-assigned identity of --managed-identity; without it, the system's own
    #[arg(long, value_name = "ID", requires = "managed_identity")]
    identity_client_id: Option<ClientId>,
    #[command(flatten)]
    keys: KeyArgs,
}

impl LoginArgs {
    const fn is_for_a_pipeline(&self) -> bool {
        self.service_principal
            || self.federated_token_file.is_some()
            || self.github_actions
            || self.azure_pipelines
            || self.managed_identity
    }

    const fn flow(&self) -> Flow {
        if self.device_code {
            Flow::DeviceCode
        } else if self.no_browser {
            Flow::NoBrowser
        } else {
            Flow::Browser
        }
    }
}

/// What a sign-in is made with.
struct Way<'a> {
    ui: Ui,
    context: &'a Context,
    cloud: &'a Cloud,
    http: &'a Http,
}

pub(super) async fn run(ui: Ui, context: &Context, args: LoginArgs) -> Result<(), Failure> {
    let cloud_name = context.cloud()?;
    let cloud = cloud_name.open()?;
    let before = context.profiles().load(&context.profile_name()).ok();
    let keys = before.as_ref().map(|profile| profile.keys);
    let keys = args.keys.over(keys.unwrap_or_default())?;
    // A keyring that cannot be used is better met before the person has signed in.
    let keyring = Keyring::choose(context.keyring, &context.host).await?;
    let http = Http::for_cloud(&cloud, &context.host.env)?;
    let way = Way {
        ui,
        context,
        cloud: &cloud,
        http: &http,
    };
    let signed_in = if args.is_for_a_pipeline() {
        service_principal::sign_in(&way, args).await?
    } else {
        person::sign_in(&way, &args).await?
    };
    let profile = signed_in
        .store(
            &context.host,
            context.profile_name(),
            cloud_name,
            keys,
            &keyring,
            context,
        )
        .await?;
    let text = format!(
        "signed in as {} (tenant {}, profile {}); kept in {}\n",
        profile.account,
        profile.tenant,
        profile.name,
        keyring.backend()
    );
    let json = json!({
        "profile": profile.name, "cloud": cloud.name, "tenant": profile.tenant, "account": profile.account,
        "keyring": {
            "backend": keyring.backend(), "reason": keyring.reason(), "forgets": keyring.backend().forgets(),
        },
    });
    ui.result(&json, &text)?;
    warn_of_loss(ui, &keyring);
    login_names::follow(ui, context, before.as_ref(), &profile).await
}

/// Says when a keyring forgets the sign-in, and how to keep it.
fn warn_of_loss(ui: Ui, keyring: &Keyring) {
    let Some(when) = keyring.backend().forgets() else {
        return;
    };
    let backend = keyring.backend();
    ui.say(&format!(
        "warning: {backend} forgets the sign-in {when}\nhint: keep it in private files instead: entra-ssh login --keyring file"
    ));
    if backend == Backend::Memory {
        ui.say(&format!(
            "the agent's memory was taken because {}",
            keyring.reason()
        ));
    }
}
