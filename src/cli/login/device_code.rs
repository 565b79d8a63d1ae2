use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::super::ui;
use super::Setup;
use crate::entra::{self, Prompt, Tokens};
use crate::failure::Failure;
use crate::ids::TenantId;
use crate::progress::Progress as _;
use crate::time::Spoken;

/// How often the wait is shown at a terminal.
const TICK: Duration = Duration::from_secs(1);

/// Signs a user in with a device code.
pub(super) async fn sign_in(
    setup: &Setup<'_>,
    tenant: &TenantId,
    prompt: Prompt<'_>,
) -> Result<Tokens, Failure> {
    let clock = setup.context.host.clock.as_ref();
    let flow = entra::begin_device_code(setup.http, clock, setup.cloud, tenant, prompt).await?;
    ui::ask(&format!(
        "To sign in, open {} in a browser and enter the code {} (good for {}).",
        flow.verification_uri(),
        flow.user_code(),
        Spoken(flow.lifetime())
    ));
    let deadline = Instant::now() + flow.lifetime();
    let wait = async |pause| show_wait(setup, pause, deadline).await;
    let tokens = entra::wait_for_device_code(setup.http, clock, setup.cloud, flow, wait).await;
    setup.ui.show("");
    Ok(tokens?)
}

/// Waits, and shows at a terminal how long the code is still good for.
async fn show_wait(setup: &Setup<'_>, pause: Duration, deadline: Instant) {
    let end = Instant::now() + pause;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        setup.ui.show(&format!(
            "waiting for the code to be entered, for another {}",
            Spoken(left)
        ));
        let rest = end.saturating_duration_since(Instant::now());
        if rest.is_zero() {
            return;
        }
        sleep(rest.min(TICK)).await;
    }
}
