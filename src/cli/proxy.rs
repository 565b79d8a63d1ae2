use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use rustls::ClientConfig;
use tokio::time::{Instant, sleep};

use super::context::Context;
use super::ui::Ui;
use crate::agent::ask::{Answer, Question, Tenancy, another_version};
use crate::agent::client;
use crate::failure::Failure;
use crate::host::http_proxy::HttpProxy;
use crate::host::standard_streams::{Input, Output};
use crate::host::tls;
use crate::ids::{MachineName, ResourceId, TenantId};
use crate::profile::Profile;
use crate::relay::{self, Connection, Endpoint, RelayError};

/// How long a machine that was set up just now may take until it listens.
const SET_UP_LIMIT: Duration = Duration::from_secs(90);
/// How often it is tried meanwhile.
const SET_UP_POLL: Duration = Duration::from_secs(2);

/// Carry one connection to a machine: what ssh runs as `ProxyCommand`
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  ssh -o ProxyCommand='entra-ssh proxy --port %p /subscriptions/…/machines/web01' alice@contoso.com@web01"
)]
pub(super) struct ProxyArgs {
    /// The machine's resource ID
    machine: ResourceId,
    /// The tenant of the machine's subscription; without it, it is looked up
    #[arg(long, value_name = "ID")]
    tenant: Option<TenantId>,
    /// The port of sshd on the machine
    #[arg(long, default_value_t = 22)]
    port: u16,
    /// Do not see to a certificate: ssh uses keys of its own
    #[arg(long)]
    no_certificate: bool,
}

impl ProxyArgs {
    fn tenancy(&self) -> Tenancy {
        match &self.tenant {
            Some(tenant) => Tenancy::Tenant(tenant.clone()),
            None => Tenancy::OfSubscription(self.machine.subscription().clone()),
        }
    }
}

pub(super) async fn run(ui: Ui, context: &Context, args: ProxyArgs) -> Result<u8, Failure> {
    // The agent knows the profile by its name, and a pipeline's may have to be made first.
    let profile = context.load_profile().await?;
    let certificate = async {
        if args.no_certificate {
            return Ok(());
        }
        context
            .certificate(&profile.name, &args.tenancy())
            .await
            .map(drop)
    };
    let ((connection, fingerprint), ()) =
        tokio::try_join!(connect(ui, context, &profile, &args), certificate)?;
    let outcome = relay::carry(connection, Input::open(), Output::open()).await;
    if let Err(RelayError::Closed { code: 1008, .. }) = outcome {
        // The session is lost; the next one is to find other credentials at hand.
        let _asked = Way::ask_for(context, &args, Some(fingerprint)).await;
    }
    outcome?;
    Ok(0)
}

/// Returns a connection, and the fingerprint of the credentials that it was opened with.
async fn connect(
    ui: Ui,
    context: &Context,
    profile: &Profile,
    args: &ProxyArgs,
) -> Result<(Connection, String), Failure> {
    let cloud = profile.cloud.open()?;
    let tls = tls::client_config(cloud.ca_file.as_deref())?;
    let way = Way::ask_for(context, args, None).await?;
    match way.dial(context, &tls).await {
        Err(RelayError::Refused { status: 404, .. }) if way.is_new => {
            let connection = wait_until_it_listens(ui, context, &way, &tls).await?;
            return Ok((connection, way.fingerprint));
        }
        Err(RelayError::Refused {
            status: 401 | 403 | 404,
            ..
        }) => {}
        dialled => return Ok((dialled?, way.fingerprint)),
    }
    // The token may have been revoked, or the machine have got another hybrid connection since.
    let other = Way::ask_for(context, args, Some(way.fingerprint)).await?;
    let connection = other.dial(context, &tls).await?;
    Ok((connection, other.fingerprint))
}

async fn wait_until_it_listens(
    ui: Ui,
    context: &Context,
    way: &Way,
    tls: &Arc<ClientConfig>,
) -> Result<Connection, Failure> {
    ui.say(&format!(
        "`{}` was set up just now; waiting up to {} s until it listens",
        way.machine,
        SET_UP_LIMIT.as_secs()
    ));
    let deadline = Instant::now() + SET_UP_LIMIT;
    loop {
        sleep(SET_UP_POLL).await;
        match way.dial(context, tls).await {
            Err(RelayError::Refused { status: 404, .. }) if Instant::now() < deadline => {}
            dialled => return Ok(dialled?),
        }
    }
}

/// The way to a machine, as the agent knows it.
struct Way {
    machine: MachineName,
    endpoint: Endpoint,
    fingerprint: String,
    /// Whether the machine was set up just now, so that it may take a while to listen.
    is_new: bool,
}

impl Way {
    async fn dial(
        &self,
        context: &Context,
        tls: &Arc<ClientConfig>,
    ) -> Result<Connection, RelayError> {
        let Self { endpoint, .. } = self;
        let proxy = HttpProxy::for_host(&context.host.env, endpoint.host(), endpoint.port());
        relay::dial(endpoint, tls, proxy.as_ref()).await
    }

    async fn ask_for(
        context: &Context,
        args: &ProxyArgs,
        refused: Option<String>,
    ) -> Result<Self, Failure> {
        let question = Question::RelayCredentials {
            profile: context.profile_name(),
            tenancy: args.tenancy(),
            machine: args.machine.clone(),
            port: args.port,
            refused,
        };
        let Answer::RelayCredentials(answer) =
            client::ask(&context.agent_socket, &question).await?
        else {
            return Err(another_version());
        };
        let credentials = answer.credentials();
        let fingerprint = credentials.fingerprint();
        let endpoint = Endpoint::new(
            &credentials.host,
            &credentials.hybrid_connection,
            credentials.access_key,
            credentials.service_configuration_token,
            args.port,
        )?;
        Ok(Self {
            machine: args.machine.name().clone(),
            endpoint,
            fingerprint,
            is_new: answer.is_new,
        })
    }
}
