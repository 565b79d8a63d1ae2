//! The connector that `proxy` and `forward` open connections with.

use super::context::Context;
use super::ui::Ui;
use crate::connect::{Connector, Destination, Means};
use crate::failure::Failure;
use crate::host::tls;
use crate::relay::Capacity;

/// Chooses the route to a machine. Only the relay route needs the account's cloud, for the roots of its TLS.
pub(super) async fn open<'a>(
    ui: &'a Ui,
    context: &'a Context,
    destination: Destination,
    capacity: Capacity,
) -> Result<Connector<'a>, Failure> {
    let profile = destination.profile.clone();
    let env = &context.host.env;
    let means = Means {
        agent: context.agent_for(&profile).await?,
        env,
        progress: ui,
        capacity,
    };
    let tls = async || {
        let cloud = context.profile_of(&profile).await?.cloud.open()?;
        Ok(tls::for_cloud(&cloud, env)?)
    };
    Connector::to(destination, means, tls).await
}
