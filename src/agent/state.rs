//! The state of the agent, which every connection shares.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore};
use tokio::time::{Instant, timeout};

use super::accounts::Accounts;
use super::ask::StatusAnswer;
use super::passphrase_lock::PassphraseLock;
use crate::host::Host;
use crate::host::http::current_wait;
use crate::host::program::Program;
use crate::host::vault::{OwnMemory, Vault};
use crate::keyring::Kind;
use crate::line::Line;
use crate::time::UnixTime;

/// How many connections are served at once on each socket; more wait.
pub(super) const MAX_CONNECTIONS: usize = 512;
/// How many of these may be forwarded: other machines, which `ssh -A` lends the agent to, must not take all places.
const MAX_FORWARDED: usize = 64;
/// How often to check whether the program has been replaced, or a sign-in is still in memory only.
const LOOK_INTERVAL: Duration = Duration::from_secs(60);

/// The agent at work.
pub(super) struct Agent {
    pub(super) host: Host,
    pub(super) accounts: Accounts,
    pub(super) passphrase_lock: PassphraseLock,
    /// The memory keyring, as far as other processes may see it, too.
    pub(super) memory: Arc<OwnMemory>,
    is_memory_locked: bool,
    /// The file that this process runs; none if the system does not tell.
    pub(super) program: Option<Program>,
    pub(super) stop: Notify,
    /// Notified after each answer.
    answered: Notify,
    started: Instant,
    started_at: UnixTime,
    /// When the last question came, in seconds after the start.
    asked: AtomicU64,
    /// A place for each connection, by entrance.
    pub(super) places: [Arc<Semaphore>; 2],
    /// The places for forwarded connections, which have one of the others, too.
    pub(super) forwarded: Arc<Semaphore>,
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
    pub(super) fn sign_ins(&self) -> usize {
        let names = self.memory.names();
        let is_sign_in = |name: &&String| Kind::of(name) == Some(Kind::SignIn);
        names.iter().filter(is_sign_in).count()
    }

    fn is_replaced(&self) -> bool {
        self.program.as_ref().is_some_and(Program::is_replaced)
    }

    /// Records an answer.
    pub(super) fn record_answer(&self) {
        self.answered.notify_one();
    }

    /// Returns when another file has taken the place of the program that this process runs.
    pub(super) async fn wait_until_replaced(&self) {
        while !self.is_replaced() {
            let _asked = timeout(LOOK_INTERVAL, self.answered.notified()).await;
        }
    }

    /// Records a request.
    pub(super) fn record_request(&self) {
        let seconds = self.started.elapsed().as_secs();
        self.asked.store(seconds, Ordering::Relaxed);
    }

    /// Makes the server return.
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

    /// Returns once the agent has been idle for this long, unless a sign-in would be lost.
    pub(super) async fn wait_until_idle(&self, idle: Duration) {
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

#[cfg(test)]
pub(super) mod tests {
    use std::path::Path;

    use super::*;
    use crate::host::clock::SystemClock;
    use crate::host::env::Env;
    use crate::host::paths::Paths;

    /// Returns an agent without accounts.
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
}
