//! The agent as seen by our own programs: start it if it does not run, and ask.

use std::error::Error;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::Duration;

use serde::Serialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::time::{Instant, sleep, timeout};
use zeroize::Zeroizing;

use super::ask::{Answer, AskResult, Asking, EXTENSION, Question};
use super::caller::{self, Caller};
use crate::failure::{Failure, place_failure};
use crate::host::own_socket::{self, SocketError};
use crate::host::{files, process, program};
use crate::openssh::agent_protocol::{MAX_MESSAGE_BYTES, Request, Response, message_length};

/// How long a new agent may take to open its socket.
const START_LIMIT: Duration = Duration::from_secs(10);
/// How often a new agent's socket is tried.
const START_POLL: Duration = Duration::from_millis(5);
/// How long an answer may take; a renewal may be in it.
const ANSWER_LIMIT: Duration = Duration::from_secs(100);

/// How often to check an agent that does not answer.
const STOPPED_LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// How many looks in a row must find it stopped: somebody may be about to let it go on.
const STOPPED_LOOKS: u32 = 3;

/// Returns the socket that our own programs ask at: it lies beside the one that ssh is told of.
pub(super) fn ask_socket(socket: &Path) -> PathBuf {
    let mut name = socket.as_os_str().to_owned();
    name.push(".ask");
    name.into()
}

/// Asks the agent on behalf of a caller. It is started if it does not run; one that dies over the question has its place taken
/// by another, once.
///
/// # Errors
/// [`Failure`] if it does not start or answer, and whatever failure it answers.
pub async fn ask(socket: &Path, caller: &Caller, question: &Question) -> Result<Answer, Failure> {
    tracing::debug!(?question, ?caller, "asks the agent");
    let asking = Asking { caller, question };
    if let Some(answer) = send_if_running(socket, &asking).await? {
        return Ok(answer);
    }
    let stream = start(socket).await?;
    match exchange(stream, &asking).await {
        Ok(message) => understand(socket, &message),
        Err(error) => Err(no_answer(socket, error)),
    }
}

/// Asks the agent if it runs, what any caller may ask; `None` if it does not run, or ends without an answer.
///
/// # Errors
/// As [`ask`].
pub async fn ask_if_running(socket: &Path, question: &Question) -> Result<Option<Answer>, Failure> {
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

/// Tells whether there is nobody any more at the other end.
fn has_died(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof
    )
}

/// Starts an agent and waits for its socket. Should others do the same, one agent remains and all of them find it.
///
/// # Errors
/// [`Failure`] if its program cannot be started or opens no socket in time.
pub(crate) async fn start(socket: &Path) -> Result<UnixStream, Failure> {
    let failed = |error: &dyn Error| {
        Failure::new("cannot start the agent")
            .caused_by(error)
            .hint("run it in the foreground to see why: entra-ssh agent run")
    };
    own_socket::check(&ask_socket(socket))?;
    // Before the agent: one that runs while its folder is missing is an orphan.
    let folder = socket.parent().unwrap_or(Path::new("/"));
    files::make_private_folder(folder).map_err(|error| {
        let what = format!(
            "cannot make the folder `{}` for the agent's socket",
            folder.display()
        );
        place_failure(what, &error)
    })?;
    let program = program::startable_path().map_err(|error| failed(&error))?;
    let arguments: [OsString; 5] = [
        "agent".into(),
        "run".into(),
        "--detached".into(),
        "--agent-socket".into(),
        socket.into(),
    ];
    tracing::info!(socket = %socket.display(), "starts the agent");
    let mut agent =
        process::start_detached(&program, &arguments).map_err(|error| failed(&error))?;
    match reach(socket, &mut agent).await {
        Err(error @ SocketError::Connect { .. }) => Err(failed(&error)),
        reached => Ok(reached?),
    }
}

/// Connects to a new agent, or to another one that was faster, as soon as there is one.
async fn reach(socket: &Path, agent: &mut Child) -> Result<UnixStream, SocketError> {
    let deadline = Instant::now() + START_LIMIT;
    loop {
        match own_socket::connect(&ask_socket(socket)).await {
            Ok(stream) => {
                if !is_answered_by(&stream, agent.id()) {
                    // Ours came too late. It must not take its chance when the other one is told to stop.
                    let _ended = agent.kill().and_then(|()| agent.wait());
                }
                return Ok(stream);
            }
            Err(error) if !error.is_nobody() || Instant::now() >= deadline => return Err(error),
            // One that ends well has found another one at work; one that fails opens no socket any more.
            Err(error) if matches!(agent.try_wait(), Ok(Some(status)) if !status.success()) => {
                return Err(error);
            }
            Err(_) => sleep(START_POLL).await,
        }
    }
}

/// Tells whether this process, as far as the system says, opened the socket at the other end.
fn is_answered_by(stream: &UnixStream, process: u32) -> bool {
    let other = stream.peer_cred().ok().and_then(|peer| peer.pid());
    other.is_none_or(|other| u32::try_from(other) == Ok(process))
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
    stream: UnixStream,
    question: &impl Serialize,
) -> Result<Zeroizing<Vec<u8>>, NoAnswer> {
    let peer = stream.peer_cred().ok().and_then(|peer| peer.pid());
    let process = peer.and_then(|process| u32::try_from(process).ok());
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
    mut stream: UnixStream,
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

/// Reads one message without its length; `None` if the stream ended before it.
pub(super) async fn read_message(
    stream: &mut UnixStream,
) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    let mut first = [0];
    match stream.read(&mut first).await? {
        0 => Ok(None),
        _ => read_rest(stream, first).await.map(Some),
    }
}

/// Reads the rest of a message that begins with this byte, and returns it without its length.
pub(super) async fn read_rest(
    stream: &mut UnixStream,
    [first]: [u8; 1],
) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut rest = [0; 3];
    stream.read_exact(&mut rest).await?;
    let [second, third, fourth] = rest;
    let length = message_length([first, second, third, fourth]).ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::InvalidData,
            format!("a message is empty or longer than {MAX_MESSAGE_BYTES} bytes"),
        )
    })?;
    let mut message = Zeroizing::new(vec![0; length]);
    stream.read_exact(&mut message).await?;
    Ok(message)
}

#[cfg(test)]
mod tests {
    use tokio::net::UnixListener;

    use super::*;

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

    /// Starts an agent that opens its socket after so long, and tells whether it was reached.
    async fn is_reached_after(time: Duration) -> bool {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("agent.sock");
        let program = Path::new("/bin/sleep");
        let mut agent = process::start_detached(program, &["60".into()]).unwrap();
        let id = agent.id();
        let open = async {
            sleep(time).await;
            UnixListener::bind(ask_socket(&socket)).unwrap()
        };
        let (reached, _listener) = tokio::join!(reach(&socket, &mut agent), open);
        if let Ok(stream) = &reached {
            assert!(!is_answered_by(stream, id), "it is this process");
            assert!(agent.try_wait().unwrap().is_some(), "the one too many");
        }
        // It may have ended.
        let _ended = agent.kill().and_then(|()| agent.wait());
        reached.is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_agent_is_waited_for_as_long_as_the_limit_and_no_longer() {
        assert!(is_reached_after(START_LIMIT.saturating_sub(START_POLL)).await);
        assert!(!is_reached_after(START_LIMIT + START_POLL).await);
    }

    /// Asks an agent that answers after so long.
    async fn asked_of_one_that_takes(time: Duration) -> Result<Option<Answer>, Failure> {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("agent.sock");
        let listener = UnixListener::bind(ask_socket(&socket)).unwrap();
        let agent = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            read_message(&mut stream).await.unwrap();
            sleep(time).await;
            let answer = serde_json::to_vec::<AskResult>(&Ok(Answer::Done)).unwrap();
            let response = Response::Success(Zeroizing::new(answer));
            // Whoever asks may have left by then.
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
