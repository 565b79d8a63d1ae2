//! Where a listener's connection meets the sender's.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use tokio::sync::oneshot;

use super::handshake::{Head, Refusal};
use super::{Socket, Stream, record};
use crate::encoding::{base64url, random_bytes};
use crate::world::{World, lock};

/// The parameter that names a meeting.
pub(crate) const PARAMETER: &str = "sb-hc-rendezvous";

/// What a listener decided.
pub(crate) enum Decision {
    /// The connection, and the subprotocol that the listener chose.
    Accepted(Box<Socket>, Option<String>),
    Rejected(Refusal),
}

/// Senders who wait, by the secret in the address that their listener was given.
#[derive(Default)]
pub(crate) struct Meetings(Mutex<HashMap<String, oneshot::Sender<Decision>>>);

impl Meetings {
    /// Arranges a meeting; the name is good for one use, and until the returned guard is dropped.
    pub(crate) fn arrange(&self) -> Meeting<'_> {
        let (decide, decision) = oneshot::channel();
        let name = base64url(random_bytes::<24>());
        lock(&self.0).insert(name.clone(), decide);
        Meeting {
            meetings: self,
            name,
            decision,
        }
    }

    fn take(&self, name: &str) -> Option<oneshot::Sender<Decision>> {
        lock(&self.0).remove(name)
    }
}

/// A sender's side of a meeting.
pub(crate) struct Meeting<'a> {
    meetings: &'a Meetings,
    pub(crate) name: String,
    pub(crate) decision: oneshot::Receiver<Decision>,
}

impl Drop for Meeting<'_> {
    fn drop(&mut self) {
        self.meetings.take(&self.name);
    }
}

/// `sb-hc-action=accept`, which also rejects when it carries a status code.
pub(crate) async fn answer(
    world: &Arc<World>,
    head: &Head,
    stream: Stream,
) -> Result<(), (Stream, Refusal)> {
    let decide = head
        .query
        .value(PARAMETER)
        .and_then(|name| world.relay.meetings.take(name))
        .filter(|decide| !decide.is_closed());
    let Some(decide) = decide else {
        return Err((
            stream,
            Refusal::new(403, "the address is not valid, or no longer"),
        ));
    };
    // The guide and the older listeners spell these two ways.
    let field = |name: &str| {
        head.query
            .value(&format!("sb-hc-{name}"))
            .or_else(|| head.query.value(name))
    };
    if let Some(status) = field("statusCode") {
        let status = status.parse().unwrap_or(500);
        let text = field("statusDescription").unwrap_or_default();
        // A sender that is gone needs no answer.
        let _: Result<(), Decision> = decide.send(Decision::Rejected(Refusal::new(status, text)));
        return Err((stream, Refusal::new(410, "Gone")));
    }
    record(world, head, 101);
    let protocol = head
        .header("sec-websocket-protocol")
        .and_then(|protocols| protocols.split(',').next())
        .map(|protocol| protocol.trim().to_owned());
    if let Ok(socket) = head.upgrade(stream, protocol.as_deref()).await {
        let _: Result<(), Decision> = decide.send(Decision::Accepted(Box::new(socket), protocol));
    }
    Ok(())
}
