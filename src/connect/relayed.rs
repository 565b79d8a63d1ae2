use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use tokio::io::AsyncRead;
use tokio::time::{Instant, sleep};

use super::destination::Destination;
use super::dialer::{self, Dialer};
use super::error::ConnectError;
use crate::agent::ask::RelayQuestion;
use crate::agent::client::AgentClient;
use crate::host::env::Env;
use crate::host::http_proxy::HttpProxy;
use crate::host::output::Output;
use crate::host::standard_streams;
use crate::ids::ResourceId;
use crate::progress::Progress;
use crate::relay::{self, Capacity, Connection, Ending, Endpoint, RelayError};

/// How long a machine that was set up just now may take until it listens.
const SET_UP_LIMIT: Duration = Duration::from_secs(90);
/// How often to dial meanwhile.
const SET_UP_POLL: Duration = Duration::from_secs(2);

/// The relay route, with credentials from the agent.
pub(super) struct Relayed<'a> {
    pub(super) destination: Destination,
    pub(super) machine: ResourceId,
    pub(super) agent: AgentClient,
    pub(super) progress: &'a dyn Progress,
    pub(super) tls: Arc<ClientConfig>,
    pub(super) env: &'a Env,
    pub(super) capacity: Capacity,
}

impl Relayed<'_> {
    /// Acquires credentials, so that an obstacle shows at once.
    pub(super) async fn prepare(&self) -> Result<(), ConnectError> {
        self.ask(None).await.map(drop)
    }

    /// Opens a connection.
    pub(super) async fn connect(&self) -> Result<RelayConnection<'_>, ConnectError> {
        Ok(RelayConnection {
            route: self,
            opened: dialer::connect(self).await?,
        })
    }

    /// Passes on how a connection ended. If its credentials expired, the agent acquires others: this session is lost, and the
    /// next one finds them.
    async fn on_end(
        &self,
        outcome: Result<Ending, RelayError>,
        fingerprint: String,
    ) -> Result<(), ConnectError> {
        if let Err(RelayError::Closed { code: 1008, .. }) = outcome {
            let _asked = self.ask(Some(fingerprint)).await;
        }
        outcome?;
        Ok(())
    }

    async fn ask(&self, refused: Option<String>) -> Result<Credentials, ConnectError> {
        let Destination {
            profile,
            tenancy,
            port,
            ..
        } = &self.destination;
        let question = RelayQuestion {
            profile: profile.clone(),
            tenancy: tenancy.clone(),
            machine: self.machine.clone(),
            port: *port,
            refused,
        };
        let answer = self.agent.relay_credentials(question).await;
        let answer = answer.map_err(ConnectError::Agent)?;
        let credentials = answer.credentials();
        Ok(Credentials {
            fingerprint: credentials.fingerprint(),
            endpoint: Endpoint::new(
                &credentials.host,
                &credentials.hybrid_connection,
                credentials.access_key,
                credentials.service_configuration_token,
                *port,
            )?,
            is_new: answer.is_new,
        })
    }

    async fn dial_once(&self, credentials: &Credentials) -> Result<Connection, RelayError> {
        let Credentials { endpoint, .. } = credentials;
        let proxy = HttpProxy::for_host(self.env, endpoint.host(), endpoint.port());
        relay::dial(endpoint, &self.tls, proxy.as_ref(), self.capacity).await
    }

    async fn wait_until_it_listens(
        &self,
        credentials: &Credentials,
    ) -> Result<Connection, RelayError> {
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
            match self.dial_once(credentials).await {
                Err(RelayError::Refused { status: 404, .. }) if begun.elapsed() < SET_UP_LIMIT => {}
                dialed => break dialed,
            }
        };
        self.progress.show("");
        outcome
    }
}

impl Dialer for Relayed<'_> {
    type Lead = Credentials;
    type Connection = Opened;

    /// Every try of [`relay::dial`] gets company by itself.
    const USUAL_TIME: Option<Duration> = None;

    async fn lead(&self) -> Result<Credentials, ConnectError> {
        self.ask(None).await
    }

    async fn another_lead(
        &self,
        failed: &Credentials,
    ) -> Result<Option<Credentials>, ConnectError> {
        self.ask(Some(failed.fingerprint.clone())).await.map(Some)
    }

    async fn dial(&self, credentials: &Credentials) -> Result<Opened, ConnectError> {
        let connection = match self.dial_once(credentials).await {
            Err(RelayError::Refused { status: 404, .. }) if credentials.is_new => {
                self.wait_until_it_listens(credentials).await?
            }
            dialed => dialed?,
        };
        Ok(Opened {
            connection,
            fingerprint: credentials.fingerprint.clone(),
        })
    }

    /// The token may have been revoked, or the machine may have another hybrid connection by now.
    fn is_outdated(&self, credentials: &Credentials, error: &ConnectError) -> bool {
        match error {
            ConnectError::Relay(RelayError::Refused { status: 404, .. }) => !credentials.is_new,
            ConnectError::Relay(RelayError::Refused { status, .. }) => {
                matches!(status, 401 | 403)
            }
            _ => false,
        }
    }
}

/// What the relay accepts.
pub(super) struct Credentials {
    endpoint: Endpoint,
    fingerprint: String,
    /// Whether the machine was set up just now, so that it may take a while to listen.
    is_new: bool,
}

/// An open connection.
pub(super) struct Opened {
    connection: Connection,
    /// The fingerprint of the credentials that opened it.
    fingerprint: String,
}

/// An open connection, and the route that opened it.
pub(super) struct RelayConnection<'a> {
    route: &'a Relayed<'a>,
    opened: Opened,
}

impl RelayConnection<'_> {
    /// Carries bytes both ways until one side ends ([`relay::carry`]).
    pub(super) async fn carry(
        self,
        input: impl AsyncRead + Unpin,
        output: impl Output,
    ) -> Result<(), ConnectError> {
        let outcome = relay::carry(self.opened.connection, input, output).await;
        self.route.on_end(outcome, self.opened.fingerprint).await
    }

    /// Carries bytes between standard input and output and the machine ([`relay::carry_standard_streams`]).
    pub(super) async fn carry_standard_streams(self) -> Result<(), ConnectError> {
        let (input, output) = (
            standard_streams::Input::open(),
            standard_streams::Output::open(),
        );
        let outcome = relay::carry_standard_streams(self.opened.connection, input, output).await;
        self.route.on_end(outcome, self.opened.fingerprint).await
    }
}
