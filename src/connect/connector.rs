use std::sync::Arc;

use rustls::ClientConfig;

use super::connected::Connected;
use super::destination::Destination;
use super::direct::Direct;
use super::error::ConnectError;
use super::relayed::Relayed;
use crate::agent::client::AgentClient;
use crate::host::env::Env;
use crate::ids::Route;
use crate::progress::Progress;
use crate::relay::Capacity;

/// What connections are made with.
pub(crate) struct Means<'a> {
    /// The agent, asked as the account of the destination.
    pub(crate) agent: AgentClient,
    pub(crate) env: &'a Env,
    pub(crate) progress: &'a dyn Progress,
    /// How much memory a relay connection may use.
    pub(crate) capacity: Capacity,
}

/// Opens connections to one machine by one route, as many as the caller wants.
pub(crate) struct Connector<'a>(Chosen<'a>);

enum Chosen<'a> {
    Direct(Direct<'a>),
    Relayed(Relayed<'a>),
}

impl<'a> Connector<'a> {
    /// Chooses the route to a machine. `tls` makes the TLS settings of the machine's cloud, which only the relay route needs.
    pub(crate) async fn to<E: From<ConnectError>>(
        destination: Destination,
        means: Means<'a>,
        tls: impl AsyncFnOnce() -> Result<Arc<ClientConfig>, E>,
    ) -> Result<Self, E> {
        let Means {
            agent,
            env,
            progress,
            capacity,
        } = means;
        Ok(Self(match (destination.route(), &destination.machine) {
            (Route::Relay, Some(machine)) => Chosen::Relayed(Relayed {
                machine: machine.clone(),
                destination,
                agent,
                progress,
                tls: tls().await?,
                env,
                capacity,
            }),
            _ => Chosen::Direct(Direct::new(destination, agent, progress)),
        }))
    }

    /// Acquires what a connection needs, so that an obstacle shows at once.
    pub(crate) async fn prepare(&self) -> Result<(), ConnectError> {
        match &self.0 {
            Chosen::Direct(route) => route.prepare().await,
            Chosen::Relayed(route) => route.prepare().await,
        }
    }

    /// Opens a connection.
    pub(crate) async fn connect(&self) -> Result<Connected<'_>, ConnectError> {
        Ok(match &self.0 {
            Chosen::Direct(route) => Connected::direct(route.name(), route.connect().await?),
            Chosen::Relayed(route) => Connected::relayed(route.connect().await?),
        })
    }
}
