use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::ask::{AskResult, EXTENSION as ASK, another_version};
use super::bindings::Bindings;
use super::state::Agent;
use crate::failure::Failure;
use crate::host::local_socket::LocalStream;
use crate::openssh::agent_protocol::{Request, Response};
use crate::openssh::agent_stream::read_rest;
use crate::openssh::session_bind;

/// How long a connection may be silent.
const CONNECTION_IDLE: Duration = Duration::from_secs(3600);
/// How long a message may take from its first byte to its last, either way.
const MESSAGE_LIMIT: Duration = Duration::from_secs(10);
/// How long one question of our own programs may take.
const QUESTION_LIMIT: Duration = Duration::from_secs(90);

/// The extensions that ssh and related tools may use, as the extension `query` lists them.
const EXTENSIONS: &[&str] = &[QUERY, session_bind::EXTENSION];
const QUERY: &str = "query";

/// Where a question comes from.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) enum Entrance {
    /// Our own programs' socket, which never leaves the machine.
    OwnPrograms,
    /// The socket for ssh, which `ssh -A` carries to other machines.
    Ssh,
}

/// Answers one connection until it ends, is silent for too long, or sends what is no message.
pub(super) async fn converse(agent: &Agent, mut stream: LocalStream, entrance: Entrance) {
    let mut bindings = Bindings::default();
    let mut first = [0];
    let mut forwarded = None;
    while let Ok(Ok(1)) = timeout(CONNECTION_IDLE, stream.read(&mut first)).await {
        let rest = timeout(MESSAGE_LIMIT, read_rest(&mut stream, first));
        let Ok(Ok(message)) = rest.await else {
            return;
        };
        agent.record_request();
        let response = match Request::decode(&message) {
            Some(request) => respond(agent, request, entrance, &mut bindings).await,
            None => Response::Failure,
        };
        if bindings.is_forwarded() && forwarded.is_none() {
            let Ok(place) = Arc::clone(&agent.forwarded).try_acquire_owned() else {
                return;
            };
            forwarded = Some(place);
        }
        let bytes = Zeroizing::new(response.encode());
        let written = timeout(MESSAGE_LIMIT, stream.write_all(&bytes)).await;
        agent.record_answer();
        if !matches!(written, Ok(Ok(()))) {
            return;
        }
    }
}

async fn respond(
    agent: &Agent,
    request: Request<'_>,
    entrance: Entrance,
    bindings: &mut Bindings,
) -> Response {
    match request {
        Request::RequestIdentities => Response::Identities(agent.offer(bindings).await),
        Request::Sign { key, data, flags } => agent
            .sign(bindings, key, data, flags)
            .await
            .unwrap_or(Response::Failure),
        Request::Remove { .. } | Request::RemoveAll | Request::Lock(_) | Request::Unlock(_)
            if !bindings.let_manage() =>
        {
            tracing::info!("refuses what only a program of this machine may do");
            Response::Failure
        }
        Request::Remove { key } => done(agent.remove(bindings, key).await),
        Request::RemoveAll => done(agent.remove_all(bindings).await),
        Request::Lock(passphrase) => done(agent.passphrase_lock.lock(passphrase).await),
        Request::Unlock(passphrase) => done(agent.passphrase_lock.unlock(passphrase).await),
        Request::Extension {
            name: ASK,
            contents,
        } if entrance == Entrance::OwnPrograms => answer(agent, contents).await,
        Request::Extension { name: QUERY, .. } => Response::Extensions(EXTENSIONS),
        // Taken note of while the agent is locked, too: that it is unlocked later makes no forwarded connection a local one.
        Request::Extension {
            name: session_bind::EXTENSION,
            contents,
        } => {
            if bindings.bind(contents) {
                done(true)
            } else {
                Response::ExtensionFailure
            }
        }
        Request::Extension { .. } | Request::Other(_) => Response::Failure,
    }
}

async fn answer(agent: &Agent, contents: &[u8]) -> Response {
    let result = match serde_json::from_slice(contents) {
        // In a place of its own, since this future is carried by every connection.
        Ok(asked) => in_time(Box::pin(agent.answer(asked))).await,
        Err(_) => Err(another_version()),
    };
    match serde_json::to_vec::<AskResult>(&result) {
        Ok(contents) => Response::Success(Zeroizing::new(contents)),
        Err(_) => Response::ExtensionFailure,
    }
}

async fn in_time(answer: impl Future<Output = AskResult>) -> AskResult {
    timeout(QUESTION_LIMIT, answer)
        .await
        .unwrap_or_else(|_| Err(Failure::new("the agent did not finish in time").hint("try again")))
}

fn done(is_done: bool) -> Response {
    if is_done {
        Response::Success(Zeroizing::default())
    } else {
        Response::Failure
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{Instant, sleep};

    use super::super::ask::Answer;
    use super::super::state::tests::agent;
    use super::*;

    const MOMENT: Duration = Duration::from_millis(1);

    #[tokio::test(start_paused = true)]
    async fn a_question_may_take_as_long_as_the_limit_and_no_longer() {
        let after = async |time: Duration| {
            in_time(async {
                sleep(time).await;
                Ok(Answer::Done)
            })
            .await
        };
        let answer = after(QUESTION_LIMIT).await;
        assert!(matches!(answer, Ok(Answer::Done)), "{answer:?}");
        let begun = Instant::now();
        let failure = after(QUESTION_LIMIT + MOMENT).await.unwrap_err();
        assert_eq!(failure.error, "the agent did not finish in time");
        assert_eq!(begun.elapsed().as_secs(), QUESTION_LIMIT.as_secs());
    }

    /// Asks an agent without accounts for its keys, byte by byte after these pauses, and returns the answer's type; none if
    /// the connection ends without one.
    async fn type_after(pauses: [Duration; 5]) -> Option<u8> {
        let home = tempfile::tempdir().unwrap();
        let agent = agent(home.path());
        let (ours, mut theirs) = LocalStream::pair().unwrap();
        let client = async {
            for (byte, pause) in [0, 0, 0, 1, 11].into_iter().zip(pauses) {
                sleep(pause).await;
                theirs.write_all(&[byte]).await.ok()?;
            }
            let mut answer = [0; 5];
            theirs.read_exact(&mut answer).await.ok()?;
            Some(answer[4])
        };
        // It goes on until the client is gone.
        tokio::select! {
            answer = client => answer,
            () = converse(&agent, ours, Entrance::Ssh) => None,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_may_be_silent_just_short_of_the_limit_and_no_longer() {
        let mut pauses = [Duration::ZERO; 5];
        pauses[0] = CONNECTION_IDLE.saturating_sub(MOMENT);
        assert_eq!(type_after(pauses).await, Some(12));
        pauses[0] = CONNECTION_IDLE + MOMENT;
        assert_eq!(type_after(pauses).await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_may_take_just_short_of_the_limit_and_no_longer() {
        let mut pauses = [MESSAGE_LIMIT / 4; 5];
        pauses[4] = pauses[4].saturating_sub(MOMENT);
        assert_eq!(type_after(pauses).await, Some(12));
        pauses[4] += 2 * MOMENT;
        assert_eq!(type_after(pauses).await, None);
    }
}
