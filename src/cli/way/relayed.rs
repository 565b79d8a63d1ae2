use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use tokio::io::AsyncRead;
use tokio::time::{Instant, sleep};

use super::super::context::Context;
use crate::agent::ask::{RelayQuestion, Tenancy};
use crate::failure::Failure;
use crate::host::http_proxy::HttpProxy;
use crate::host::standard_streams;
use crate::ids::{ProfileName, ResourceId};
use crate::progress::Progress;
use crate::relay::{self, Capacity, Connection, Ending, Endpoint, Output, RelayError};

/// How long a machine that was set up just now may take until it listens.
const SET_UP_LIMIT: Duration = Duration::from_secs(90);
/// How often it is asked meanwhile.
const SET_UP_POLL: Duration = Duration::from_secs(2);

/// How a machine is connected to through the relay, as often as one likes: with credentials of the agent's.
pub(in super::super) struct Relayed<'a> {
    pub(in super::super) progress: &'a dyn Progress,
    pub(in super::super) context: &'a Context,
    pub(in super::super) profile: ProfileName,
    pub(in super::super) tls: Arc<ClientConfig>,
    pub(in super::super) tenancy: Tenancy,
    pub(in super::super) machine: ResourceId,
    /// The port on the machine.
    pub(in super::super) port: u16,
    pub(in super::super) capacity: Capacity,
}

/// An open connection.
pub(in super::super) struct Connected<'a> {
    way: &'a Relayed<'a>,
    connection: Connection,
    /// Of the credentials that it was opened with.
    fingerprint: String,
}

impl Relayed<'_> {
    /// Sees to it that there are credentials, so that what stands in their way is told at once.
    pub(in super::super) async fn prepare(&self) -> Result<(), Failure> {
        self.ask(None).await.map(drop)
    }

    /// Opens a connection with the credentials that the agent has, or with new ones if the relay refuses those.
    pub(in super::super) async fn connect(&self) -> Result<Connected<'_>, Failure> {
        let credentials = self.ask(None).await?;
        match self.dial(&credentials).await {
            Err(RelayError::Refused { status: 404, .. }) if credentials.is_new => {
                let connection = self.wait_until_it_listens(&credentials).await?;
                return Ok(self.connected(connection, credentials));
            }
            Err(RelayError::Refused {
                status: 401 | 403 | 404,
                ..
            }) => {}
            dialled => return Ok(self.connected(dialled?, credentials)),
        }
        // The token may have been revoked, or the machine have got another hybrid connection since.
        let other = self.ask(Some(credentials.fingerprint)).await?;
        let connection = self.dial(&other).await?;
        Ok(self.connected(connection, other))
    }

    fn connected(&self, connection: Connection, credentials: Credentials) -> Connected<'_> {
        Connected {
            way: self,
            connection,
            fingerprint: credentials.fingerprint,
        }
    }

    async fn wait_until_it_listens(
        &self,
        credentials: &Credentials,
    ) -> Result<Connection, Failure> {
        let (name, limit) = (self.machine.name(), SET_UP_LIMIT.as_secs());
        self.progress.say(&format!(
            "`{name}` was set up just now; waiting up to {limit} s until it listens"
        ));
        let begun = Instant::now();
        let outcome = loop {
            sleep(SET_UP_POLL).await;
            let waited = begun.elapsed().as_secs();
            self.progress
                .show(&format!("waiting: {waited} of {limit} s"));
            match self.dial(credentials).await {
                Err(RelayError::Refused { status: 404, .. }) if begun.elapsed() < SET_UP_LIMIT => {}
                dialled => break dialled,
            }
        };
        self.progress.show("");
        Ok(outcome?)
    }

    async fn dial(&self, credentials: &Credentials) -> Result<Connection, RelayError> {
        let Credentials { endpoint, .. } = credentials;
        let env = &self.context.host.env;
        let proxy = HttpProxy::for_host(env, endpoint.host(), endpoint.port());
        relay::dial(endpoint, &self.tls, proxy.as_ref(), self.capacity).await
    }

    /// Tells how a connection ended, that was opened with these credentials.
    async fn on_end(
        &self,
        outcome: Result<Ending, RelayError>,
        fingerprint: String,
    ) -> Result<(), Failure> {
        if let Err(RelayError::Closed { code: 1008, .. }) = outcome {
            // The session is lost; the next one is to find other credentials at hand.
            let _asked = self.ask(Some(fingerprint)).await;
        }
        outcome?;
        Ok(())
    }

    /// Asks the agent for credentials: others than those that were refused.
    async fn ask(&self, refused: Option<String>) -> Result<Credentials, Failure> {
        let question = RelayQuestion {
            profile: self.profile.clone(),
            tenancy: self.tenancy.clone(),
            machine: self.machine.clone(),
            port: self.port,
            refused,
        };
        let agent = self.context.agent_for(&self.profile).await?;
        let answer = agent.relay_credentials(question).await?;
        let credentials = answer.credentials();
        Ok(Credentials {
            fingerprint: credentials.fingerprint(),
            endpoint: Endpoint::new(
                &credentials.host,
                &credentials.hybrid_connection,
                credentials.access_key,
                credentials.service_configuration_token,
                self.port,
            )?,
            is_new: answer.is_new,
        })
    }
}

impl Connected<'_> {
    /// Carries bytes both ways until one side ends ([`relay::carry`]).
    pub(in super::super) async fn carry(
        self,
        input: impl AsyncRead + Unpin,
        output: impl Output,
    ) -> Result<(), Failure> {
        let outcome = relay::carry(self.connection, input, output).await;
        self.way.on_end(outcome, self.fingerprint).await
    }

    /// Carries bytes between standard input and output and the machine ([`relay::carry_standard_streams`]).
    pub(in super::super) async fn carry_standard_streams(self) -> Result<(), Failure> {
        let (input, output) = (
            standard_streams::Input::open(),
            standard_streams::Output::open(),
        );
        let outcome = relay::carry_standard_streams(self.connection, input, output).await;
        self.way.on_end(outcome, self.fingerprint).await
    }
}

/// What the relay lets in.
struct Credentials {
    endpoint: Endpoint,
    fingerprint: String,
    /// Whether the machine was set up just now, so that it may take a while to listen.
    is_new: bool,
}
