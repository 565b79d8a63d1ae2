//! One question and its answer, over the agent's socket.

use std::io;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use tokio::io::AsyncWriteExt as _;
use tokio::time::{sleep, timeout};
use zeroize::Zeroizing;

use super::super::ask::{Answer, AskResult, Asking, EXTENSION, Question};
use super::super::caller::{self, Caller};
use super::super::places::ask_socket;
use super::start;
use crate::failure::Failure;
use crate::host::local_socket::LocalStream;
use crate::host::{own_socket, process};
use crate::openssh::agent_protocol::{Request, Response};
use crate::openssh::agent_stream::read_message;

/// How long an answer may take; a renewal may be in it.
const ANSWER_LIMIT: Duration = Duration::from_secs(100);
/// How often to check an agent that does not answer.
const STOPPED_LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// How many checks in a row must find it stopped: SIGCONT may be on its way.
const STOPPED_LOOKS: u32 = 3;

/// Asks the agent on behalf of a caller. It is started if it does not run; one that dies over the question has its place taken
/// by another, once.
///
/// # Errors
/// [`Failure`] if it does not start or answer, and whatever failure it answers.
pub(super) async fn ask(
    socket: &Path,
    caller: &Caller,
    question: &Question,
) -> Result<Answer, Failure> {
    tracing::debug!(?question, ?caller, "asks the agent");
    let asking = Asking { caller, question };
    if let Some(answer) = send_if_running(socket, &asking).await? {
        return Ok(answer);
    }
    let stream = start::start(socket).await?;
    match exchange(stream, &asking).await {
        Ok(message) => understand(socket, &message),
        Err(error) => Err(no_answer(socket, error)),
    }
}

/// Asks the agent if it runs, what any caller may ask; `None` if it does not run, or ends without an answer.
///
/// # Errors
/// As [`ask`].
pub(super) async fn ask_if_running(
    socket: &Path,
    question: &Question,
) -> Result<Option<Answer>, Failure> {
    tracing::debug!(?question, "asks the agent");
    send_if_running(socket, question).await
}

async fn send_if_running(
    socket: &Path,
    question: &impl Serialize,
) -> Result<Option<Answer>, Failure> {
    let stream = match own_socket::connect(&ask_socket(socket)).await {
        Ok(stream) => stream,
        Err(error) if error.is_nobody() => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    match exchange(stream, question).await {
        Ok(message) => understand(socket, &message).map(Some),
        Err(NoAnswer::Broken(error)) if has_died(&error) => Ok(None),
        Err(error) => Err(no_answer(socket, error)),
    }
}

/// Returns whether the other end is gone.
fn has_died(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof
    )
}

fn no_answer(socket: &Path, error: NoAnswer) -> Failure {
    match error {
        NoAnswer::Broken(error) => Failure::new(format!(
            "the agent at `{}` does not answer",
            socket.display()
        ))
        .caused_by(&error)
        .hint("end it, and the next command starts another: pkill -u $USER -f 'entra-ssh agent run'"),
        NoAnswer::Stopped(process) => {
            Failure::new(format!("the agent, process {process}, is stopped")).hint(format!(
                "let it go on: kill -CONT {process}; or end it, and it is started again: kill -KILL {process}"
            ))
        }
    }
}

fn understand(socket: &Path, message: &[u8]) -> Result<Answer, Failure> {
    Response::success_contents(message)
        .and_then(|contents| serde_json::from_slice::<AskResult>(contents).ok())
        .ok_or_else(|| {
            Failure::new(format!(
                "what answers at `{}` is not this program's agent",
                socket.display()
            ))
            .hint("stop it, or use another socket: --agent-socket FILE")
        })?
}

/// Why the agent gave no answer.
enum NoAnswer {
    /// The connection broke, or the time was up.
    Broken(io::Error),
    /// The agent's process is stopped.
    Stopped(u32),
}

async fn exchange(
    stream: LocalStream,
    question: &impl Serialize,
) -> Result<Zeroizing<Vec<u8>>, NoAnswer> {
    let process = stream.peer_process();
    tokio::select! {
        answered = timeout(ANSWER_LIMIT, write_and_read(stream, question)) => answered
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
            .map_err(NoAnswer::Broken),
        process = until_stopped(process, process::is_stopped) => Err(NoAnswer::Stopped(process)),
    }
}

/// Returns when a process has been stopped for a while. One that is not known never is.
async fn until_stopped(process: Option<u32>, is_stopped: impl Fn(u32) -> bool) -> u32 {
    let Some(process) = process else {
        return std::future::pending().await;
    };
    let mut seen = 0;
    while seen < STOPPED_LOOKS {
        sleep(STOPPED_LOOK_INTERVAL).await;
        seen = if is_stopped(process) { seen + 1 } else { 0 };
    }
    process
}

async fn write_and_read(
    mut stream: LocalStream,
    question: &impl Serialize,
) -> io::Result<Zeroizing<Vec<u8>>> {
    let contents = caller::to_json(question)?;
    let request = Request::Extension {
        name: EXTENSION,
        contents: &contents,
    };
    stream.write_all(&Zeroizing::new(request.encode())).await?;
    read_message(&mut stream)
        .await?
        .ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;
    use crate::host::local_socket::LocalListener;

    #[tokio::test(start_paused = true)]
    async fn a_process_that_stays_stopped_is_told_and_one_that_goes_on_is_not() {
        let begun = Instant::now();
        assert_eq!(until_stopped(Some(7), |_| true).await, 7);
        assert_eq!(begun.elapsed(), STOPPED_LOOK_INTERVAL * STOPPED_LOOKS);
        let looks = std::cell::Cell::new(0_u32);
        let now_and_then = |_| {
            looks.set(looks.get() + 1);
            !looks.get().is_multiple_of(STOPPED_LOOKS)
        };
        let limit = STOPPED_LOOK_INTERVAL * 100;
        assert!(
            timeout(limit, until_stopped(Some(7), now_and_then))
                .await
                .is_err()
        );
        assert!(timeout(limit, until_stopped(None, |_| true)).await.is_err());
    }

    /// Asks an agent that answers after so long.
    async fn asked_of_one_that_takes(time: Duration) -> Result<Option<Answer>, Failure> {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("agent.sock");
        let listener = LocalListener::bind(&ask_socket(&socket)).unwrap();
        let agent = async {
            let mut stream = listener.accept().await.unwrap();
            read_message(&mut stream).await.unwrap();
            sleep(time).await;
            let answer = serde_json::to_vec::<AskResult>(&Ok(Answer::Done)).unwrap();
            let response = Response::Success(Zeroizing::new(answer));
            // The caller may have gone by then.
            let _written = stream.write_all(&response.encode()).await;
        };
        tokio::join!(ask_if_running(&socket, &Question::Stop), agent).0
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_may_take_just_short_of_the_limit_and_no_longer() {
        let moment = Duration::from_millis(1);
        let answer = asked_of_one_that_takes(ANSWER_LIMIT.saturating_sub(moment)).await;
        assert!(matches!(answer, Ok(Some(Answer::Done))), "{answer:?}");
        let failure = asked_of_one_that_takes(ANSWER_LIMIT + moment).await;
        let failure = failure.unwrap_err();
        assert!(failure.error.ends_with("does not answer"), "{failure}");
    }
}
