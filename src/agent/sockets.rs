use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::places::ask_socket;
use crate::host::folder_watch::FolderWatch;
use crate::host::local_socket::{LocalListener, LocalStream, SocketFile, inherited_listeners};
use crate::host::lock::Lock;

/// How long a new agent waits for one that is about to end.
const TAKE_OVER_LIMIT: Duration = Duration::from_secs(1);
/// How often an agent checks that its sockets are there, at least.
const LOOK_INTERVAL: Duration = Duration::from_secs(60);
/// How long an agent that has been handed the memory waits for the one that hands it over to leave.
const HAND_OVER_LIMIT: Duration = Duration::from_secs(20);
/// How often it tries meanwhile.
const TAKE_OVER_POLL: Duration = Duration::from_millis(10);

/// The two sockets of the agent, and the lock that one agent holds.
#[derive(Debug)]
pub(super) struct Sockets {
    /// The socket for ssh.
    pub(super) for_ssh: LocalListener,
    /// The socket that our own programs ask at.
    pub(super) for_us: LocalListener,
    /// The sockets that are ours to remove: those that systemd listens on are not.
    ours: Vec<SocketFile>,
    watch: FolderWatch,
    _lock: Lock,
}

impl Sockets {
    /// Opens the sockets, or takes those that systemd hands over. Returns `None` if another agent has them.
    pub(super) async fn open(socket: &Path) -> io::Result<Option<Self>> {
        let ask_socket = ask_socket(socket);
        let mut inherited = inherited_listeners()?.into_iter();
        let inherited = (inherited.next(), inherited.next());
        let folder = socket.parent().unwrap_or(Path::new("/"));
        let lock = lock_name(socket);
        if let (Some(for_ssh), Some(for_us)) = inherited {
            // Clients reach systemd's sockets only: an agent that is still exiting does not matter.
            let lock = Lock::take(folder, &lock, TAKE_OVER_LIMIT).await?;
            return Ok(Some(Self {
                for_ssh,
                for_us,
                ours: Vec::new(),
                watch: FolderWatch::of(folder),
                _lock: lock,
            }));
        }
        let Some(lock) = become_the_agent(folder, &lock, &ask_socket).await? else {
            return Ok(None);
        };
        Self::listen(socket, lock).map(Some)
    }

    /// Opens the sockets in the place of those of the agent that hands over to this one, which leaves when it notices.
    pub(super) async fn take_over(socket: &Path) -> io::Result<Self> {
        let folder = socket.parent().unwrap_or(Path::new("/"));
        let ours = [socket.to_owned(), ask_socket(socket)];
        let [for_ssh, for_us] = ours.each_ref().map(|path| LocalListener::bind_over(path));
        let (for_ssh, for_us) = (for_ssh?, for_us?);
        let lock = Lock::take(folder, &lock_name(socket), HAND_OVER_LIMIT).await?;
        let ours = ours.iter().map(|path| SocketFile::at(path));
        Ok(Self {
            for_ssh,
            for_us,
            ours: ours.collect::<io::Result<_>>()?,
            watch: FolderWatch::of(folder),
            _lock: lock,
        })
    }

    fn listen(socket: &Path, lock: Lock) -> io::Result<Self> {
        let folder = socket.parent().unwrap_or(Path::new("/"));
        let ask_socket = ask_socket(socket);
        // The socket for ssh comes first, so that a caller that finds the other can rely on it.
        let for_ssh = LocalListener::bind(socket)?;
        let for_us = LocalListener::bind(&ask_socket)?;
        Ok(Self {
            for_ssh,
            for_us,
            ours: vec![SocketFile::at(socket)?, SocketFile::at(&ask_socket)?],
            watch: FolderWatch::of(folder),
            _lock: lock,
        })
    }

    /// Returns when a caller that connects no longer gets here: the sockets, or their folder, are gone, or another agent's are in
    /// their place.
    pub(super) async fn wait_until_gone(&self) {
        while self.ours.iter().all(SocketFile::is_there) {
            // Where the system tells of changes, the look is for changes that came before the watch.
            tokio::select! {
                () = self.watch.changed() => {}
                () = sleep(LOOK_INTERVAL) => {}
            }
        }
    }

    /// Returns whether systemd listens, and starts the next agent.
    pub(super) fn are_inherited(&self) -> bool {
        self.ours.is_empty()
    }

    /// Closes the sockets and releases the lock: the next client starts another agent.
    pub(super) fn close(self) -> io::Result<()> {
        self.ours.iter().try_for_each(SocketFile::remove)
    }
}

fn lock_name(socket: &Path) -> String {
    let name = socket.file_name().unwrap_or_default().to_string_lossy();
    format!("{name}.lock")
}

/// Takes the lock that one agent holds. Returns `None` if another one answers; one that is about to end holds the lock for a
/// moment longer than it answers.
async fn become_the_agent(
    folder: &Path,
    lock: &str,
    ask_socket: &Path,
) -> io::Result<Option<Lock>> {
    let deadline = Instant::now() + TAKE_OVER_LIMIT;
    loop {
        // Between two agents of which one hands over to the other, the lock is free for a moment.
        if LocalStream::connect(ask_socket).await.is_ok() {
            return Ok(None);
        }
        if let Some(lock) = Lock::try_take(folder, lock)? {
            return Ok(Some(lock));
        }
        if Instant::now() >= deadline {
            return Ok(None);
        }
        sleep(TAKE_OVER_POLL).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Waits for an agent that holds the lock for so long and does not answer; returns whether another agent took its place.
    async fn takes_over_from_one_that_leaves_after(time: Duration) -> bool {
        let folder = tempfile::tempdir().unwrap();
        let held = Lock::try_take(folder.path(), "lock").unwrap().unwrap();
        let unused = folder.path().join("unused");
        let (taken, ()) = tokio::join!(become_the_agent(folder.path(), "lock", &unused), async {
            sleep(time).await;
            drop(held);
        });
        taken.unwrap().is_some()
    }

    #[tokio::test]
    async fn sockets_that_are_gone_are_noticed_and_those_of_another_agent_stay() {
        let parent = tempfile::tempdir().unwrap();
        let socket = parent.path().join("run").join("agent.sock");
        let first = Sockets::open(&socket).await.unwrap().unwrap();
        std::fs::rename(socket.parent().unwrap(), parent.path().join("moved")).unwrap();
        first.wait_until_gone().await;
        let second = Sockets::open(&socket).await.unwrap().unwrap();
        first.wait_until_gone().await;
        first.close().unwrap();
        assert!(second.ours.iter().all(SocketFile::is_there));
        second.close().unwrap();
        assert!(!socket.exists());
    }

    #[tokio::test(start_paused = true)]
    async fn an_agent_that_ends_is_waited_for_as_long_as_the_limit_and_no_longer() {
        let in_time = TAKE_OVER_LIMIT.saturating_sub(TAKE_OVER_POLL);
        assert!(takes_over_from_one_that_leaves_after(in_time).await);
        let late = TAKE_OVER_LIMIT + TAKE_OVER_POLL;
        assert!(!takes_over_from_one_that_leaves_after(late).await);
    }
}
