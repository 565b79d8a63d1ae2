//! The control channel of a listener.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::handshake::{Head, Refusal};
use super::sas::Right;
use super::{Socket, Stream, record};
use crate::clock::unix_now;
use crate::world::World;

/// Longest time that is waited for, so that no clock overflows: a year.
const MAX_WAIT: Duration = Duration::from_secs(366 * 86_400);

/// `sb-hc-action=listen`
pub(crate) async fn answer(
    world: &Arc<World>,
    head: &Head,
    stream: Stream,
) -> Result<(), (Stream, Refusal)> {
    let (connection, expires) = match check(world, head) {
        Ok(checked) => checked,
        Err(refusal) => return Err((stream, refusal)),
    };
    let (id, messages) = match world.relay.add_listener(&connection) {
        Ok(added) => added,
        Err(refusal) => return Err((stream, refusal)),
    };
    record(world, head, 101);
    if let Ok(socket) = head.upgrade(stream, None).await {
        serve(world, &connection, socket, messages, expires).await;
    }
    world.relay.remove_listener(&connection, id);
    Ok(())
}

fn check(world: &World, head: &Head) -> Result<(String, u64), Refusal> {
    let path = head.connection_path()?;
    let relay = &world.relay;
    let expires = head.authorize(&relay.policies, Right::Listen, &path)?;
    let connection = relay.find(&path).ok_or_else(Refusal::no_endpoint)?;
    Ok((connection, expires))
}

/// `{"renewToken":{"token":"…"}}`
#[derive(Deserialize)]
struct FromListener {
    #[serde(rename = "renewToken")]
    renew_token: Option<RenewToken>,
}

#[derive(Deserialize)]
struct RenewToken {
    token: String,
}

/// Passes messages on until the listener leaves, the token expires or the endpoint changes.
async fn serve(
    world: &World,
    connection: &str,
    mut socket: Socket,
    mut messages: mpsc::Receiver<String>,
    mut expires: u64,
) {
    let farewell = loop {
        tokio::select! {
            message = messages.recv() => {
                let Some(message) = message else {
                    break Some((CloseCode::Away, "the hybrid connection has been changed"));
                };
                if socket.send(Message::text(message)).await.is_err() {
                    break None;
                }
            }
            received = socket.next() => match received {
                Some(Ok(Message::Text(text))) => {
                    let renewed = serde_json::from_str::<FromListener>(&text)
                        .ok()
                        .and_then(|message| message.renew_token);
                    let Some(renewed) = renewed else { continue };
                    let policies = &world.relay.policies;
                    match policies.check(&renewed.token, Right::Listen, connection, unix_now()) {
                        Ok(until) => expires = until,
                        Err(_) => break Some((CloseCode::Policy, "the new token is not valid")),
                    }
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => break None,
                Some(Ok(_)) => {}
            },
            () = sleep_until(deadline(expires)) => {
                break Some((CloseCode::Policy, "the security token has expired"));
            }
        }
    };
    let farewell = farewell.map(|(code, reason)| CloseFrame {
        code,
        reason: reason.into(),
    });
    super::pipe::close(socket, farewell).await;
}

fn deadline(expires: u64) -> Instant {
    let left = Duration::from_secs(expires.saturating_sub(unix_now()));
    Instant::now() + left.min(MAX_WAIT)
}
