use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::connection::{Entrance, converse};
use super::hand_over;
use super::sockets::Sockets;
use super::state::{Agent, MAX_CONNECTIONS};
use crate::failure::{Failure, file_failure};
use crate::host::Host;
use crate::host::local_socket::{LocalListener, LocalStream, this_user};
use crate::host::memory;
use crate::host::vault::OwnMemory;

/// How long the agent stays without a question, in seconds.
pub(crate) const DEFAULT_IDLE_SECONDS: u32 = 3600;
/// How long the agent stays after a request to stop, for the answer to get out.
const LAST_ANSWER_TIME: Duration = Duration::from_millis(20);
/// How long an agent that cannot hand its memory over waits until it tries again.
const LOOK_INTERVAL: Duration = Duration::from_secs(60);
/// How long an agent that another version has replaced stays for the connections that it has.
const DRAIN_LIMIT: Duration = Duration::from_secs(3600);

/// Why an agent no longer takes connections.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum End {
    /// A client stopped it, it is idle, or its sockets are gone.
    Leave,
    /// Its program was replaced.
    Replaced,
}

/// Runs the agent until a client stops it or it has been idle for this long. Returns if another one runs on this
/// socket. With `inherited` secrets it takes the place of the agent that handed them over.
///
/// Once its program has been replaced, it opens the way for the next agent after the next answer, and stays only for the
/// connections that it has. One that holds the only copy of a sign-in is never idle, and hands it over.
///
/// # Errors
/// [`Failure`] if the sockets cannot be opened.
pub(crate) async fn serve(
    host: Host,
    socket: &Path,
    idle: Duration,
    inherited: Option<OwnMemory>,
) -> Result<(), Failure> {
    let failed = |error: io::Error| file_failure("open the agent's socket", socket, &error);
    let opened = match &inherited {
        Some(_) => Sockets::take_over(socket).await.map(Some),
        None => Sockets::open(socket).await,
    };
    let Some(sockets) = opened.map_err(failed)? else {
        return Ok(());
    };
    let memory = Arc::new(inherited.unwrap_or_default());
    let is_memory_locked = memory::keep_out_of_swap();
    let agent = Arc::new(Agent::new(host, memory, is_memory_locked));
    let end = tokio::select! {
        () = agent.accept(&sockets.for_ssh, Entrance::Ssh) => End::Leave,
        () = agent.accept(&sockets.for_us, Entrance::OwnPrograms) => End::Leave,
        () = agent.stop.notified() => End::Leave,
        () = agent.wait_until_idle(idle) => End::Leave,
        end = agent.wait_until_succeeded(socket, idle, &sockets) => end,
        () = agent.accounts.keep_renewed() => End::Leave,
    };
    // A new client starts another agent; open connections get their answers. systemd starts the next one only when
    // this one has ended.
    let stays = end == End::Replaced && !sockets.are_inherited();
    sockets.close().map_err(failed)?;
    if stays {
        agent.drain_connections().await;
    }
    tokio::time::sleep(LAST_ANSWER_TIME).await;
    Ok(())
}

impl Agent {
    /// Returns when the sockets are gone or another agent's, or when the next agent may take this one's place. While there is
    /// something to hand over, the next agent takes it by itself.
    async fn wait_until_succeeded(&self, socket: &Path, idle: Duration, sockets: &Sockets) -> End {
        loop {
            tokio::select! {
                () = sockets.wait_until_gone() => return End::Leave,
                () = self.wait_until_replaced() => {}
            }
            if self.sign_ins() == 0 {
                return End::Replaced;
            }
            if !sockets.are_inherited()
                && let Some(program) = &self.program
                && let Ok(next) = hand_over::start(program.path(), socket, idle, &self.memory)
            {
                tokio::select! {
                    () = sockets.wait_until_gone() => return End::Replaced,
                    () = hand_over::fail(next, &self.memory) => {}
                }
            }
            // The new program cannot take over, or systemd has the sockets: this one goes on, and tries again later.
            tracing::warn!(
                "the agent of a program that was replaced goes on: it holds the only copy of a sign-in"
            );
            tokio::select! {
                () = sockets.wait_until_gone() => return End::Leave,
                () = tokio::time::sleep(LOOK_INTERVAL) => {}
            }
        }
    }

    async fn accept(self: &Arc<Self>, listener: &LocalListener, entrance: Entrance) {
        let [for_ssh, for_us] = &self.places;
        let places = match entrance {
            Entrance::Ssh => for_ssh,
            Entrance::OwnPrograms => for_us,
        };
        loop {
            let Ok(place) = Arc::clone(places).acquire_owned().await else {
                return;
            };
            match listener.accept().await {
                Ok(stream) if is_ours(&stream) => {
                    let agent = Arc::clone(self);
                    tokio::spawn(async move {
                        converse(&agent, stream, entrance).await;
                        drop(place);
                    });
                }
                Ok(_) => {}
                // Too many open files, most likely: others will close theirs.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    /// Returns when no connection is left, or they have had time enough.
    async fn drain_connections(&self) {
        let all = u32::try_from(MAX_CONNECTIONS).unwrap_or(u32::MAX);
        let wait = async {
            for places in &self.places {
                let _all_places = places.acquire_many(all).await;
            }
        };
        let _waited = timeout(DRAIN_LIMIT, wait).await;
    }
}

/// The socket's folder keeps other users out; this is the second lock on the entrance.
fn is_ours(stream: &LocalStream) -> bool {
    stream.peer_user().is_ok_and(|user| user == this_user())
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::super::state::tests::agent;
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn connections_of_a_replaced_agent_may_last_as_long_as_the_limit_and_no_longer() {
        let home = tempfile::tempdir().unwrap();
        let agent = agent(home.path());
        let moment = Duration::from_millis(1);
        for (lasts, waited) in [
            (Duration::ZERO, Duration::ZERO),
            (
                DRAIN_LIMIT.saturating_sub(moment),
                DRAIN_LIMIT.saturating_sub(moment),
            ),
            (DRAIN_LIMIT + moment, DRAIN_LIMIT),
        ] {
            let [_, for_us] = &agent.places;
            let place = Arc::clone(for_us).acquire_owned().await.unwrap();
            let begun = Instant::now();
            let connection = async {
                tokio::time::sleep(lasts).await;
                drop(place);
            };
            let seen_off = async {
                agent.drain_connections().await;
                begun.elapsed()
            };
            let (after, ()) = tokio::join!(seen_off, connection);
            assert_eq!(after, waited);
        }
    }
}
