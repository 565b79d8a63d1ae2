//! Starting an agent where none runs.

use std::error::Error;
use std::ffi::OsString;
use std::path::Path;
use std::process::Child;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::super::places::ask_socket;
use crate::failure::{Failure, place_failure};
use crate::host::local_socket::LocalStream;
use crate::host::own_socket::{self, SocketError};
use crate::host::{files, process, program};

/// How long a new agent may take to open its socket.
const START_LIMIT: Duration = Duration::from_secs(10);
/// How often a new agent's socket is tried.
const START_POLL: Duration = Duration::from_millis(5);

/// Starts an agent and waits for its socket. Should others do the same, one agent remains and all of them find it.
///
/// # Errors
/// [`Failure`] if its program cannot be started or opens no socket in time.
pub(super) async fn start(socket: &Path) -> Result<LocalStream, Failure> {
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
async fn reach(socket: &Path, agent: &mut Child) -> Result<LocalStream, SocketError> {
    let deadline = Instant::now() + START_LIMIT;
    loop {
        match own_socket::connect(&ask_socket(socket)).await {
            Ok(stream) => {
                if !is_answered_by(&stream, agent.id()) {
                    // Ours came too late. It must not take over when the other one stops.
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

/// Returns whether the system says that this process opened the socket at the other end.
fn is_answered_by(stream: &LocalStream, process: u32) -> bool {
    stream.peer_process().is_none_or(|other| other == process)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::local_socket::LocalListener;

    /// Starts an agent that opens its socket after so long, and returns whether the client reached it.
    async fn is_reached_after(time: Duration) -> bool {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("agent.sock");
        let program = Path::new("/bin/sleep");
        let mut agent = process::start_detached(program, &["60".into()]).unwrap();
        let id = agent.id();
        let open = async {
            sleep(time).await;
            LocalListener::bind(&ask_socket(&socket)).unwrap()
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
}
