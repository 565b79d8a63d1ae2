use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use rustls::ClientConfig;
use tokio::time::{Instant, sleep};

use super::context::Context;
use super::ui::Ui;
use crate::agent::ask::{Answer, Question, another_version};
use crate::agent::client;
use crate::failure::Failure;
use crate::host::standard_streams::{Input, Output};
use crate::host::tls;
use crate::ids::ResourceId;
use crate::relay::{self, Connection, Endpoint, RelayError};

/// How long a machine that was set up just now may take until it listens.
const SET_UP_LIMIT: Duration = Duration::from_secs(90);
/// How often it is tried meanwhile.
const SET_UP_POLL: Duration = Duration::from_secs(2);

/// Carry one connection to a machine: what ssh runs as `ProxyCommand`
#[derive(Args, Debug)]
pub(super) struct ProxyArgs {
    /// The machine's resource ID
    machine: ResourceId,
    /// The port of sshd on the machine
    #[arg(long, default_value_t = 22)]
    port: u16,
    /// Do not see to a certificate: ssh uses keys of its own
    #[arg(long)]
    no_certificate: bool,
}

pub(super) async fn run(ui: Ui, context: &Context, args: ProxyArgs) -> Result<u8, Failure> {
    let certificate = async {
        if args.no_certificate {
            return Ok(());
        }
        context.certificate(&context.profile).await.map(drop)
    };
    let (connection, ()) = tokio::try_join!(connect(ui, context, &args), certificate)?;
    relay::carry(connection, Input::open(), Output::open()).await?;
    Ok(0)
}

async fn connect(ui: Ui, context: &Context, args: &ProxyArgs) -> Result<Connection, Failure> {
    let cloud = context.load_profile()?.cloud.open()?;
    let tls = tls::client_config(cloud.ca_file.as_deref())?;
    let way = Way::ask_for(context, args, None).await?;
    match relay::dial(&way.endpoint, &tls).await {
        Err(RelayError::Refused { status: 404, .. }) if way.is_new => {
            return wait_until_it_listens(ui, args, &way.endpoint, &tls).await;
        }
        Err(RelayError::Refused {
            status: 401 | 403 | 404,
            ..
        }) => {}
        dialled => return Ok(dialled?),
    }
    // The token may have been revoked, or the machine have got another hybrid connection since.
    let other = Way::ask_for(context, args, Some(way.fingerprint)).await?;
    Ok(relay::dial(&other.endpoint, &tls).await?)
}

async fn wait_until_it_listens(
    ui: Ui,
    args: &ProxyArgs,
    endpoint: &Endpoint,
    tls: &Arc<ClientConfig>,
) -> Result<Connection, Failure> {
    ui.say(&format!(
        "`{}` was set up just now; waiting up to {} s until it listens",
        args.machine.name(),
        SET_UP_LIMIT.as_secs()
    ));
    let deadline = Instant::now() + SET_UP_LIMIT;
    loop {
        sleep(SET_UP_POLL).await;
        match relay::dial(endpoint, tls).await {
            Err(RelayError::Refused { status: 404, .. }) if Instant::now() < deadline => {}
            dialled => return Ok(dialled?),
        }
    }
}

/// The way to a machine, as the agent knows it.
struct Way {
    endpoint: Endpoint,
    fingerprint: String,
    /// Whether the machine was set up just now, so that it may take a while to listen.
    is_new: bool,
}

impl Way {
    async fn ask_for(
        context: &Context,
        args: &ProxyArgs,
        refused: Option<String>,
    ) -> Result<Self, Failure> {
        let question = Question::RelayCredentials {
            profile: context.profile.clone(),
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
            endpoint,
            fingerprint,
            is_new: answer.is_new,
        })
    }
}
