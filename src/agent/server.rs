use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Notify, Semaphore};
use tokio::time::{Instant, timeout};

use super::accounts::Accounts;
use super::ask::StatusAnswer;
use super::connection::{Door, converse};
use super::doors::Doors;
use super::hand_over;
use super::passphrase_lock::PassphraseLock;
use crate::failure::{Failure, file_failure};
use crate::host::Host;
use crate::host::http::current_wait;
use crate::host::memory;
use crate::host::program::Program;
use crate::host::vault::{OwnMemory, Vault};
use crate::keyring::Kind;
use crate::line::Line;
use crate::time::UnixTime;

/// How long the agent stays without a question, in seconds.
pub(crate) const DEFAULT_IDLE_SECONDS: u32 = 3600;
/// How many connections are served at once; more wait.
const MAX_CONNECTIONS: usize = 512;
/// How many of these may be forwarded: other machines, which `ssh -A` lends the agent to, must not take all places.
const MAX_FORWARDED: usize = 64;
/// How long the agent stays after it was told to stop, for the answer to get out.
const LAST_WORDS: Duration = Duration::from_millis(20);
/// How often the agent looks whether its socket is still there.
const LOOK_INTERVAL: Duration = Duration::from_secs(60);
/// How long an agent that another version has replaced stays for the connections that it has.
const FAREWELL_LIMIT: Duration = Duration::from_secs(3600);

/// The agent at work.
pub(super) struct Agent {
    pub(super) host: Host,
    pub(super) accounts: Accounts,
    pub(super) passphrase_lock: PassphraseLock,
    /// The memory keyring, as far as other processes may see it, too.
    pub(super) memory: Arc<OwnMemory>,
    is_memory_locked: bool,
    /// The file that this process runs; none if the system does not tell.
    program: Option<Program>,
    stop: Notify,
    /// Rung when somebody has been answered.
    answered: Notify,
    started: Instant,
    started_at: UnixTime,
    /// When the last question came, in seconds after the start.
    asked: AtomicU64,
    /// A place for each connection, by door.
    places: [Arc<Semaphore>; 2],
    /// The places for forwarded connections, which have one of the others, too.
    pub(super) forwarded: Arc<Semaphore>,
}

/// Why an agent no longer takes connections.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum End {
    /// It was told to stop, nobody asked for long, or nobody can.
    Leave,
    /// Its program was replaced.
    Replaced,
}

/// Runs the agent until it is told to stop or nobody has asked for as long as `idle`. Returns if another one runs on this
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
        Some(_) => Doors::take_over(socket).await.map(Some),
        None => Doors::open(socket).await,
    };
    let Some(doors) = opened.map_err(failed)? else {
        return Ok(());
    };
    let memory = Arc::new(inherited.unwrap_or_default());
    let is_memory_locked = memory::keep_out_of_swap();
    let agent = Arc::new(Agent::new(host, memory, is_memory_locked));
    let end = tokio::select! {
        () = agent.accept(&doors.for_ssh, Door::Ssh) => End::Leave,
        () = agent.accept(&doors.for_us, Door::OwnPrograms) => End::Leave,
        () = agent.stop.notified() => End::Leave,
        () = agent.wait_until_idle(idle) => End::Leave,
        end = agent.wait_until_succeeded(socket, idle, &doors) => end,
        () = agent.accounts.tend() => End::Leave,
    };
    // Whoever comes now starts another one; whoever is being answered gets the answer. systemd starts the next one only when
    // this one has ended.
    let stays = end == End::Replaced && !doors.are_inherited();
    doors.close().map_err(failed)?;
    if stays {
        agent.see_connections_off().await;
    }
    tokio::time::sleep(LAST_WORDS).await;
    Ok(())
}

impl Agent {
    pub(super) fn new(host: Host, memory: Arc<OwnMemory>, is_memory_locked: bool) -> Self {
        let keyring: Arc<dyn Vault> = memory.clone();
        let host = Host {
            memory: keyring,
            ..host
        };
        Self {
            accounts: Accounts::new(host.clone()),
            started_at: host.clock.now(),
            host,
            passphrase_lock: PassphraseLock::default(),
            memory,
            is_memory_locked,
            program: Program::of_this_process().ok(),
            stop: Notify::new(),
            answered: Notify::new(),
            started: Instant::now(),
            asked: AtomicU64::new(0),
            places: std::array::from_fn(|_| Arc::new(Semaphore::new(MAX_CONNECTIONS))),
            forwarded: Arc::new(Semaphore::new(MAX_FORWARDED)),
        }
    }

    /// Returns how many sign-ins are held that are kept nowhere else.
    fn sign_ins(&self) -> usize {
        let names = self.memory.names();
        let is_sign_in = |name: &&String| Kind::of(name) == Some(Kind::SignIn);
        names.iter().filter(is_sign_in).count()
    }

    fn is_replaced(&self) -> bool {
        self.program.as_ref().is_some_and(Program::is_replaced)
    }

    /// Returns when the sockets are gone or another agent's, or when the next agent may take this one's place. While there is
    /// something to hand over, the next agent takes it by itself.
    async fn wait_until_succeeded(&self, socket: &Path, idle: Duration, doors: &Doors) -> End {
        loop {
            tokio::select! {
                () = doors.wait_until_gone() => return End::Leave,
                () = self.wait_until_replaced() => {}
            }
            if self.sign_ins() == 0 {
                return End::Replaced;
            }
            if !doors.are_inherited()
                && let Some(program) = &self.program
                && let Ok(next) = hand_over::start(program.path(), socket, idle, &self.memory)
            {
                tokio::select! {
                    () = doors.wait_until_gone() => return End::Replaced,
                    () = hand_over::fail(next, &self.memory) => {}
                }
            }
            // The new program cannot take over, or systemd has the sockets: this one goes on, and tries again later.
            tracing::warn!(
                "the agent of a program that was replaced goes on: it holds the only copy of a sign-in"
            );
            tokio::select! {
                () = doors.wait_until_gone() => return End::Leave,
                () = tokio::time::sleep(LOOK_INTERVAL) => {}
            }
        }
    }

    async fn accept(self: &Arc<Self>, listener: &UnixListener, door: Door) {
        let [for_ssh, for_us] = &self.places;
        let places = match door {
            Door::Ssh => for_ssh,
            Door::OwnPrograms => for_us,
        };
        loop {
            let Ok(place) = Arc::clone(places).acquire_owned().await else {
                return;
            };
            match listener.accept().await {
                Ok((stream, _)) if is_ours(&stream) => {
                    let agent = Arc::clone(self);
                    tokio::spawn(async move {
                        converse(&agent, stream, door).await;
                        drop(place);
                    });
                }
                Ok(_) => {}
                // Too many open files, most likely: others will close theirs.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    /// Takes note that somebody has got an answer.
    pub(super) fn has_answered(&self) {
        self.answered.notify_one();
    }

    /// Returns when another file has taken the place of the program that this process runs.
    async fn wait_until_replaced(&self) {
        while !self.is_replaced() {
            let _asked = timeout(LOOK_INTERVAL, self.answered.notified()).await;
        }
    }

    /// Returns when no connection is left, or they have had time enough.
    async fn see_connections_off(&self) {
        let all = u32::try_from(MAX_CONNECTIONS).unwrap_or(u32::MAX);
        let wait = async {
            for places in &self.places {
                let _all_places = places.acquire_many(all).await;
            }
        };
        let _waited = timeout(FAREWELL_LIMIT, wait).await;
    }

    /// Takes note that somebody asks.
    pub(super) fn is_asked(&self) {
        let seconds = self.started.elapsed().as_secs();
        self.asked.store(seconds, Ordering::Relaxed);
    }

    /// Has [`serve`] return.
    pub(super) fn stop(&self) {
        self.stop.notify_one();
    }

    pub(super) async fn status(&self) -> StatusAnswer {
        StatusAnswer {
            unsaved: self.accounts.unsaved().await,
            waiting: current_wait().map(Line::from),
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").into(),
            profiles: self.accounts.names().await,
            started: Some(self.started_at),
            is_locked: self.passphrase_lock.is_locked(),
            is_memory_locked: self.is_memory_locked,
            is_replaced: self.is_replaced(),
            sign_ins: self.sign_ins(),
        }
    }

    /// Returns when nobody has asked for as long as `idle`, unless a sign-in would be lost.
    async fn wait_until_idle(&self, idle: Duration) {
        loop {
            let asked = Duration::from_secs(self.asked.load(Ordering::Relaxed));
            let idled = self.started.elapsed().saturating_sub(asked);
            if idled >= idle && self.sign_ins() == 0 {
                return;
            }
            let left = idle.saturating_sub(idled);
            let pause = if left.is_zero() { LOOK_INTERVAL } else { left };
            tokio::time::sleep(pause.min(LOOK_INTERVAL)).await;
        }
    }
}

/// The socket's folder keeps other users out; this is the second lock on the door.
fn is_ours(stream: &UnixStream) -> bool {
    stream
        .peer_cred()
        .is_ok_and(|peer| peer.uid() == rustix::process::geteuid().as_raw())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::host::clock::SystemClock;
    use crate::host::env::Env;
    use crate::host::paths::Paths;

    /// Returns an agent that knows nobody.
    pub(in super::super) fn agent(home: &Path) -> Agent {
        let env = ["HOME", "XDG_RUNTIME_DIR"].map(|name| (name, home.to_str().unwrap()));
        let env = Env::from(env);
        let paths = Paths::of(&env).unwrap();
        let clock = Arc::new(SystemClock);
        let memory = Arc::<OwnMemory>::default();
        let host = Host {
            clock,
            env,
            paths,
            memory: Arc::<OwnMemory>::default(),
        };
        Agent::new(host, memory, false)
    }

    #[tokio::test(start_paused = true)]
    async fn an_agent_with_the_only_copy_of_a_sign_in_is_never_idle() {
        let home = tempfile::tempdir().unwrap();
        let agent = agent(home.path());
        let idle = Duration::from_secs(60);
        let secret = crate::secret::SecretBytes::new(vec![7]);
        agent
            .memory
            .save("sign-in azurecloud t a", &secret)
            .unwrap();
        let waited = timeout(100 * idle, agent.wait_until_idle(idle)).await;
        assert!(waited.is_err(), "it would have ended");
        agent.memory.remove("sign-in azurecloud t a").unwrap();
        // A certificate can be issued again.
        agent
            .memory
            .save("certificate azurecloud t a", &secret)
            .unwrap();
        let waited = timeout(100 * idle, agent.wait_until_idle(idle)).await;
        assert!(waited.is_ok(), "it goes on");
    }

    #[tokio::test(start_paused = true)]
    async fn connections_of_a_replaced_agent_may_last_as_long_as_the_limit_and_no_longer() {
        let home = tempfile::tempdir().unwrap();
        let agent = agent(home.path());
        let moment = Duration::from_millis(1);
        for (lasts, waited) in [
            (Duration::ZERO, Duration::ZERO),
            (
                FAREWELL_LIMIT.saturating_sub(moment),
                FAREWELL_LIMIT.saturating_sub(moment),
            ),
            (FAREWELL_LIMIT + moment, FAREWELL_LIMIT),
        ] {
            let [_, for_us] = &agent.places;
            let place = Arc::clone(for_us).acquire_owned().await.unwrap();
            let begun = Instant::now();
            let connection = async {
                tokio::time::sleep(lasts).await;
                drop(place);
            };
            let seen_off = async {
                agent.see_connections_off().await;
                begun.elapsed()
            };
            let (after, ()) = tokio::join!(seen_off, connection);
            assert_eq!(after, waited);
        }
    }
}
