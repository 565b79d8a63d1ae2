//! The way to a relayed machine: credentials of the agent's, and a connection that they open.

use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use tokio::io::AsyncRead;
use tokio::time::{Instant, sleep};

use super::context::Context;
use super::ui::Ui;
use crate::agent::ask::{Answer, Question, Tenancy, another_version};
use crate::agent::client;
use crate::failure::Failure;
use crate::host::http_proxy::HttpProxy;
use crate::host::standard_streams;
use crate::ids::{ProfileName, ResourceId};
use crate::relay::{self, Capacity, Connection, Ending, Endpoint, Output, RelayError};

/// How long a machine that was set up just now may take until it listens.
const SET_UP_LIMIT: Duration = Duration::from_secs(90);
/// How often it is asked meanwhile.
const SET_UP_POLL: Duration = Duration::from_secs(2);

/// How a machine is connected to, as often as one likes.
pub(super) struct Way<'a> {
    pub(super) ui: Ui,
    pub(super) context: &'a Context,
    pub(super) profile: ProfileName,
    pub(super) tls: Arc<ClientConfig>,
    pub(super) tenancy: Tenancy,
    pub(super) machine: ResourceId,
    /// The port on the machine.
    pub(super) port: u16,
    pub(super) capacity: Capacity,
}

/// An open connection.
pub(super) struct Connected<'a> {
    way: &'a Way<'a>,
    connection: Connection,
    /// Of the credentials that it was opened with.
    fingerprint: String,
}

impl Way<'_> {
    /// Sees to it that there are credentials, so that what stands in their way is told at once.
    pub(super) async fn prepare(&self) -> Result<(), Failure> {
        self.ask(None).await.map(drop)
    }

    /// Opens a connection with the credentials that the agent has, or with new ones if the relay refuses those.
    pub(super) async fn connect(&self) -> Result<Connected<'_>, Failure> {
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
        self.ui.say(&format!(
            "`{}` was set up just now; waiting up to {} s until it listens",
            self.machine.name(),
            SET_UP_LIMIT.as_secs()
        ));
        let deadline = Instant::now() + SET_UP_LIMIT;
        loop {
            sleep(SET_UP_POLL).await;
            match self.dial(credentials).await {
                Err(RelayError::Refused { status: 404, .. }) if Instant::now() < deadline => {}
                dialled => return Ok(dialled?),
            }
        }
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
        let question = Question::RelayCredentials {
            profile: self.profile.clone(),
            tenancy: self.tenancy.clone(),
            machine: self.machine.clone(),
            port: self.port,
            refused,
        };
        let Answer::RelayCredentials(answer) =
            client::ask(&self.context.agent_socket, &question).await?
        else {
            return Err(another_version());
        };
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
    pub(super) async fn carry(
        self,
        input: impl AsyncRead + Unpin,
        output: impl Output,
    ) -> Result<(), Failure> {
        let outcome = relay::carry(self.connection, input, output).await;
        self.way.on_end(outcome, self.fingerprint).await
    }

    /// Carries bytes between standard input and output and the machine ([`relay::carry_standard_streams`]).
    pub(super) async fn carry_standard_streams(self) -> Result<(), Failure> {
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
