use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use super::super::bounded::{Bounded, MAX_MACHINES};
use crate::azure::RelayCredentials;
use crate::ids::ResourceId;
use crate::session::SessionError;
use crate::time::UnixTime;

/// How long a machine that was set up may take until it listens.
const SET_UP_TIME: Duration = Duration::from_secs(90);

/// The relay credentials of one account in one tenant, by machine.
#[derive(Debug)]
pub(in super::super) struct RelayBook {
    pages: Mutex<Bounded<ResourceId, Arc<Mutex<Page>>>>,
}

#[derive(Debug, Default)]
struct Page {
    credentials: Option<RelayCredentials>,
    set_up: Option<Instant>,
}

impl RelayBook {
    /// Returns the cached credentials for a machine, or else those that are fetched, and whether the machine was set up just
    /// now. Cached ones that the relay has `refused` are fetched again. Of any number of callers one fetches them.
    pub(in super::super) async fn find(
        &self,
        machine: &ResourceId,
        refused: Option<&str>,
        now: UnixTime,
        fetch: impl Future<Output = Result<(RelayCredentials, bool), SessionError>>,
    ) -> Result<(RelayCredentials, bool), SessionError> {
        let page = {
            let mut pages = self.pages.lock().await;
            Arc::clone(pages.get_or_default(machine.clone()))
        };
        let mut page = page.lock().await;
        let is_usable = |held: &&RelayCredentials| {
            held.are_live(now) && refused.is_none_or(|refused| held.fingerprint() != refused)
        };
        if let Some(credentials) = page.credentials.as_ref().filter(is_usable) {
            let set_up = page.set_up;
            let is_new = set_up.is_some_and(|set_up| set_up.elapsed() < SET_UP_TIME);
            return Ok((credentials.clone(), is_new));
        }
        let (credentials, is_new) = fetch.await?;
        page.credentials = Some(credentials.clone());
        if is_new {
            page.set_up = Some(Instant::now());
        }
        Ok((credentials, is_new))
    }
}

impl Default for RelayBook {
    fn default() -> Self {
        Self {
            pages: Mutex::new(Bounded::new(MAX_MACHINES)),
        }
    }
}
