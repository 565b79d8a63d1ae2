//! The sender's side: from `sb-hc-action=connect` to a joined connection.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::handshake::{Head, Refusal, switching_protocols};
use super::pipe::{self, Trip};
use super::rendezvous::{self, Decision};
use super::sas::Right;
use super::{Stream, record};
use crate::clock::unix_now;
use crate::encoding::{percent_encode, random_bytes};
use crate::entra::jwt;
use crate::fault::Fault;
use crate::world::World;

/// Header fields that are for the Relay alone.
const NOT_PASSED_ON: [&str; 1] = ["ServiceBusAuthorization"];

/// `sb-hc-action=connect`
pub(crate) async fn answer(
    world: &Arc<World>,
    head: &Head,
    stream: Stream,
) -> Result<(), (Stream, Refusal)> {
    if let Some(Fault::RelayDelay { milliseconds }) = world
        .faults
        .take(|fault| matches!(fault, Fault::RelayDelay { .. }))
    {
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
    }
    let fault = world.faults.take(|fault| {
        matches!(
            fault,
            Fault::RelayGarbage
                | Fault::RelayRefuse { .. }
                | Fault::RelayReset
                | Fault::RelayStall { after_bytes: None }
                | Fault::RelayWrongAccept
        )
    });
    match fault {
        Some(Fault::RelayRefuse { status, text }) => {
            return Err((stream, Refusal::new(status, &text)));
        }
        Some(fault) => {
            record(world, head, 0);
            // The client sees what it sees; how far it got does not matter here.
            let _: io::Result<()> = misbehave(&fault, stream).await;
            return Ok(());
        }
        None => {}
    }
    match meet(world, head).await {
        Ok((listener, protocol)) => {
            let trip = trip(world);
            record(world, head, 101);
            match head.upgrade(stream, protocol.as_deref()).await {
                Ok(sender) => {
                    pipe::run(sender, *listener, world.options.relay_idle_time, trip).await;
                }
                Err(_) => pipe::close(*listener, Some(pipe::sender_is_gone())).await,
            }
            Ok(())
        }
        Err(refusal) => Err((stream, refusal)),
    }
}

/// Breaks the handshake.
async fn misbehave(fault: &Fault, mut stream: Stream) -> io::Result<()> {
    match fault {
        Fault::RelayReset => {
            // Without lingering, closing means a reset.
            stream.get_ref().0.set_zero_linger()?;
            return Ok(());
        }
        Fault::RelayGarbage => {
            stream
                .write_all(b"\x00\x01garbage\xff\xfe instead of HTTP\n\n")
                .await?;
            stream.shutdown().await?;
            return Ok(());
        }
        Fault::RelayWrongAccept => {
            let accept = crate::encoding::base64(random_bytes::<20>());
            stream
                .write_all(switching_protocols(&accept, None).as_bytes())
                .await?;
        }
        _ => {}
    }
    // Keeps the connection open until the client has had enough.
    let mut ignored = [0; 1_024];
    while stream.read(&mut ignored).await? > 0 {}
    Ok(())
}

fn trip(world: &World) -> Option<Trip> {
    let fault = world.faults.take(|fault| {
        matches!(
            fault,
            Fault::RelayClose { .. }
                | Fault::RelayStall {
                    after_bytes: Some(_)
                }
        )
    })?;
    match fault {
        Fault::RelayClose {
            after_bytes,
            code,
            reason,
        } => Some(Trip::close(after_bytes, code, &reason)),
        Fault::RelayStall { after_bytes } => Some(Trip::stall(after_bytes.unwrap_or_default())),
        _ => None,
    }
}

type Met = (Box<super::Socket>, Option<String>);

/// Tells the listeners in turn, until one of them decided.
async fn meet(world: &World, head: &Head) -> Result<Met, Refusal> {
    let relay = &world.relay;
    let path = head.connection_path()?;
    head.authorize(&relay.policies, Right::Send, &path)?;
    let connection = relay.find(&path).ok_or_else(Refusal::no_endpoint)?;
    if relay.of_machine(&connection) {
        check_service_configuration(world, head, &connection)?;
    }
    for listener in relay.listeners(&connection)? {
        let mut meeting = relay.meetings.arrange();
        let announcement = announcement(world, head, &path, &meeting.name);
        if listener.messages.try_send(announcement).is_err() {
            // Gone, or too busy to be told: the next one's turn.
            continue;
        }
        let rendezvous_time = world.options.rendezvous_time;
        return match tokio::time::timeout(rendezvous_time, &mut meeting.decision).await {
            Ok(Ok(Decision::Accepted(socket, protocol))) => Ok((socket, protocol)),
            Ok(Ok(Decision::Rejected(refusal))) => Err(refusal),
            Ok(Err(_)) => Err(Refusal::new(
                500,
                "the listener did not complete its handshake",
            )),
            Err(_) => Err(Refusal::new(504, "the listener did not respond in time")),
        };
    }
    Err(Refusal::no_listeners())
}

/// Checks that the token ARM issued with the credentials comes along.
fn check_service_configuration(
    world: &World,
    head: &Head,
    connection: &str,
) -> Result<(), Refusal> {
    let token = head
        .header("service-configuration-token")
        .ok_or_else(|| Refusal::new(403, "the service configuration token is missing"))?;
    jwt::verify(world.signing_key, unix_now(), token)
        .filter(|claims| claims["aud"] == connection && claims["serviceName"] == "SSH")
        .map(drop)
        .ok_or_else(|| Refusal::new(403, "the service configuration token is not valid"))
}

/// Returns the `accept` message.
fn announcement(world: &World, head: &Head, path: &str, meeting: &str) -> String {
    let id = head
        .query
        .value("sb-hc-id")
        .map_or_else(|| uuid::Uuid::new_v4().to_string(), str::to_owned);
    let path: Vec<String> = path.split('/').map(percent_encode).collect();
    let mut query: Vec<String> = head
        .query
        .iter()
        .filter(|(name, _)| !name.to_lowercase().starts_with("sb-hc-"))
        .map(|(name, value)| format!("{}={}", percent_encode(name), percent_encode(value)))
        .collect();
    query.push("sb-hc-action=accept".to_owned());
    query.push(format!("sb-hc-id={}", percent_encode(&id)));
    query.push(format!("{}={meeting}", rendezvous::PARAMETER));
    let address = format!(
        "{}/$hc/{}?{}",
        world.addresses.relay(),
        path.join("/"),
        query.join("&")
    );
    json!({"accept": {
        "address": address,
        "id": id,
        "connectHeaders": connect_headers(head),
    }})
    .to_string()
}

fn connect_headers(head: &Head) -> Value {
    let mut headers = Map::new();
    for (name, value) in &head.headers {
        if NOT_PASSED_ON
            .iter()
            .any(|hidden| hidden.eq_ignore_ascii_case(name))
        {
            continue;
        }
        let all = match headers.get(name).and_then(Value::as_str) {
            Some(earlier) => format!("{earlier}, {value}"),
            None => value.clone(),
        };
        headers.insert(name.clone(), Value::String(all));
    }
    Value::Object(headers)
}
