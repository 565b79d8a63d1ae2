mod person;
mod service_principal;

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::context::Context;
use super::ui::Ui;
use crate::agent::ask::Question;
use crate::agent::client;
use crate::entra::Identity;
use crate::failure::Failure;
use crate::host::http::Http;
use crate::host::tls;
use crate::ids::{ClientId, TenantId};
use crate::keyring::entry::Entry;
use crate::keyring::{Keyring, Kind};
use crate::profile::{Method, Profile};

/// Sign in to Entra ID, as a person or as a service principal
///
/// A person signs in in the browser of this machine; with --no-browser, in any browser; with --device-code, by entering a
/// code in any browser.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  entra-ssh login\n  entra-ssh login --device-code --tenant contoso.com\n  \
        entra-ssh login --service-principal --client-id ID --tenant ID --client-secret-file - <secret"
)]
pub(super) struct LoginArgs {
    /// Show a code that is entered in a browser anywhere
    #[arg(long, conflicts_with_all = ["service_principal", "no_browser"])]
    device_code: bool,
    /// Print the address to open, and take the address that the browser ends at
    #[arg(long, conflicts_with = "service_principal")]
    no_browser: bool,
    /// Propose this account on the page
    #[arg(long, value_name = "UPN", conflicts_with_all = ["service_principal", "device_code"])]
    login_hint: Option<String>,
    /// Sign in as a service principal, with the secret of --client-secret-file or `ENTRA_SSH_CLIENT_SECRET`
    #[arg(long, requires = "client_id", requires = "tenant")]
    service_principal: bool,
    /// The tenant, by ID or domain; without it, the home tenant of whoever signs in
    #[arg(long, env = "ENTRA_SSH_TENANT")]
    tenant: Option<TenantId>,
    /// The service principal's application
    #[arg(long, env = "ENTRA_SSH_CLIENT_ID", value_name = "ID")]
    client_id: Option<ClientId>,
    /// Read the client secret from this file (- for standard input)
    #[arg(long, value_name = "FILE", requires = "service_principal")]
    client_secret_file: Option<PathBuf>,
}

/// Who signed in, and what the keyring is to hold of it.
struct SignedIn {
    identity: Identity,
    method: Method,
    entry: Entry,
}

pub(super) async fn run(ui: Ui, context: &Context, args: LoginArgs) -> Result<(), Failure> {
    let cloud_name = context.cloud()?;
    let cloud = cloud_name.open()?;
    // A keyring that cannot be used is better met before the person has signed in.
    let keyring = Keyring::choose(context.keyring, &context.host.paths).await?;
    let http = Http::new(&tls::client_config(cloud.ca_file.as_deref())?)?;
    let signed_in = if args.service_principal {
        service_principal::sign_in(context, args, &cloud, &http).await?
    } else {
        person::sign_in(context, &args, &cloud, &http).await?
    };
    let profile = Profile {
        name: context.profile.clone(),
        cloud: cloud_name,
        tenant: signed_in.identity.tenant,
        account: signed_in.identity.account,
        method: signed_in.method,
        keyring: keyring.backend(),
    };
    keep(context, &profile, &keyring, &signed_in.entry).await?;
    let text = format!(
        "signed in as {} (tenant {}, profile {}); kept in {}\n",
        profile.account,
        profile.tenant,
        profile.name,
        keyring.backend()
    );
    let json = json!({
        "profile": profile.name, "cloud": cloud.name, "tenant": profile.tenant, "account": profile.account,
        "keyring": { "backend": keyring.backend(), "reason": keyring.reason() },
    });
    ui.result(&json, &text);
    Ok(())
}

/// Keeps a sign-in, and removes what the profile held for another account before.
async fn keep(
    context: &Context,
    profile: &Profile,
    keyring: &Keyring,
    entry: &Entry,
) -> Result<(), Failure> {
    let before = context.profiles().load(&profile.name).ok();
    keyring
        .save(&profile.entry(Kind::SignIn), entry.encode())
        .await?;
    context.profiles().save(profile)?;
    let question = Question::Forget {
        profile: profile.name.clone(),
    };
    client::ask_if_running(&context.agent_socket, &question).await?;
    if let Some(before) = before {
        let has_moved = before.keyring != profile.keyring
            || before.entry(Kind::SignIn) != profile.entry(Kind::SignIn);
        if has_moved && let Ok(keyring) = Keyring::open(before.keyring, &context.host.paths).await {
            for kind in [Kind::SignIn, Kind::Certificate] {
                keyring.remove(&before.entry(kind)).await?;
            }
        }
    }
    Ok(())
}
