use std::io;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::context::Context;
use super::ui::{self, Ui};
use crate::agent::ask::Question;
use crate::agent::client;
use crate::cloud::Cloud;
use crate::entra::{self, ClientSecret, Identity, Wanted};
use crate::failure::{Failure, FailureKind, file_failure};
use crate::host::files;
use crate::host::http::Http;
use crate::host::tls;
use crate::ids::{Account, ClientId, TenantId};
use crate::keyring::entry::Entry;
use crate::keyring::{Keyring, Kind};
use crate::profile::{Method, Profile};
use crate::secret::Secret;
use crate::time::Spoken;

/// The longest client secret that is read, in bytes.
const MAX_SECRET_BYTES: usize = 4096;
/// Where a client secret is looked for if no file is named.
const SECRET_VARIABLES: [&str; 2] = ["ENTRA_SSH_CLIENT_SECRET", "AZURE_CLIENT_SECRET"];

/// Sign in to Entra ID, as a person or as a service principal
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  entra-ssh login --device-code\n  entra-ssh login --service-principal \
    --client-id ID --tenant ID --client-secret-file -"
)]
pub(super) struct LoginArgs {
    /// Show a code that is entered in a browser anywhere
    #[arg(long, conflicts_with = "service_principal")]
    device_code: bool,
    /// Sign in as a service principal, with the client secret of --client-secret-file or `ENTRA_SSH_CLIENT_SECRET`
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
    let keyring = Keyring::open(context.keyring, &context.host.paths).await?;
    let http = Http::new(&tls::client_config(cloud.ca_file.as_deref())?)?;
    let signed_in = if args.service_principal {
        sign_in_service_principal(context, args, &cloud, &http).await?
    } else {
        sign_in_person(context, &args, &cloud, &http).await?
    };
    let profile = Profile {
        name: context.profile.clone(),
        cloud: cloud_name,
        tenant: signed_in.identity.tenant,
        account: signed_in.identity.account,
        method: signed_in.method,
        keyring: keyring.backend(),
    };
    let name = profile.entry(Kind::SignIn);
    keyring.save(&name, signed_in.entry.encode()).await?;
    context.profiles().save(&profile)?;
    let question = Question::Forget {
        profile: profile.name.clone(),
    };
    client::ask_if_running(&context.agent_socket, &question).await?;
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

async fn sign_in_person(
    context: &Context,
    args: &LoginArgs,
    cloud: &Cloud,
    http: &Http,
) -> Result<SignedIn, Failure> {
    if !args.device_code && !ui::is_watched() {
        return Err(Failure::new("there is no terminal to sign in at")
            .kind(FailureKind::SignInNeeded)
            .hint(
                "sign in as a service principal (entra-ssh login --help), or with --device-code",
            ));
    }
    let home: TenantId = "organizations".parse()?;
    let tenant = args.tenant.as_ref().unwrap_or(&home);
    let clock = context.host.clock.as_ref();
    let flow = entra::begin_device_code(http, clock, cloud, tenant).await?;
    ui::ask(&format!(
        "To sign in, open {} in a browser and enter the code {} (good for {}).",
        flow.verification_uri(),
        flow.user_code(),
        Spoken(flow.lifetime())
    ));
    let sleep = async |pause: Duration| tokio::time::sleep(pause).await;
    let tokens = entra::wait_for_device_code(http, clock, cloud, flow, sleep).await?;
    let lacks = |what: &str| {
        Failure::new(format!("Entra's reply holds no {what}"))
            .hint("check the cloud and its client ID: entra-ssh login --cloud NAME")
    };
    Ok(SignedIn {
        identity: tokens.identity.ok_or_else(|| lacks("ID token"))?,
        method: Method::Person,
        entry: Entry::RefreshToken(tokens.refresh_token.ok_or_else(|| lacks("refresh token"))?),
    })
}

async fn sign_in_service_principal(
    context: &Context,
    args: LoginArgs,
    cloud: &Cloud,
    http: &Http,
) -> Result<SignedIn, Failure> {
    let (Some(client_id), Some(tenant)) = (args.client_id, args.tenant) else {
        return Err(
            Failure::new("a service principal needs --client-id and --tenant")
                .kind(FailureKind::Usage),
        );
    };
    let account: Account = client_id.as_str().parse()?;
    let identity = ClientSecret {
        client_id,
        secret: read_secret(context, args.client_secret_file.as_ref())?,
    };
    // A wrong secret is told now, not at the first connection.
    entra::client_credentials(http, cloud, &tenant, &identity, Wanted::ResourceManager).await?;
    Ok(SignedIn {
        identity: Identity { tenant, account },
        method: Method::ClientSecret {
            client_id: identity.client_id,
        },
        entry: Entry::ClientSecret(identity.secret),
    })
}

fn read_secret(context: &Context, file: Option<&PathBuf>) -> Result<Secret, Failure> {
    let Some(file) = file else {
        let env = &context.host.env;
        return SECRET_VARIABLES
            .iter()
            .find_map(|name| env.var(name))
            .map(|secret| Secret::new(secret.to_owned()))
            .ok_or_else(|| {
                Failure::new("there is no client secret")
                    .kind(FailureKind::Usage)
                    .hint("name its file with --client-secret-file FILE (- for standard input)")
            });
    };
    let read = if file.as_os_str() == "-" {
        files::read_stream_capped(io::stdin().lock(), MAX_SECRET_BYTES)
    } else {
        files::read_capped(file, MAX_SECRET_BYTES)
    };
    let bytes = read.map_err(|error| file_failure("read the client secret from", file, &error))?;
    let text = String::from_utf8(bytes)
        .map_err(|_| Failure::new(format!("`{}` holds no text", file.display())))?;
    let secret = Secret::new(text.trim().to_owned());
    drop(zeroize::Zeroizing::new(text));
    if secret.expose().is_empty() {
        return Err(Failure::new(format!("`{}` is empty", file.display()))
            .hint("it must hold the client secret's value"));
    }
    Ok(secret)
}
