//! Starting, steering and stopping a sandbox.

mod describe;
mod files;
mod launch;
mod machines;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::clock::unix_now;
use crate::entra::device_code;
use crate::fault::Injection;
use crate::folder::Folder;
use crate::journal::RequestRow;
use crate::options::Options;
use crate::relay::sas::Right;
use crate::workload::certificate::{self, ClientCertificate};
use crate::workload::{self, Workload, kubernetes};
use crate::world::World;

/// How long agents get to listen before a sandbox counts as started.
const START_TIME: Duration = Duration::from_secs(30);
/// How long the tokens last that tests and the description hand out, in seconds.
const TOKEN_SECONDS: u64 = 7 * 86_400;

/// Why a sandbox did not start, or a machine is not known.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// A file, a listener or a machine.
    Io(io::Error),
    /// A name that no machine has.
    NoSuchMachine(String),
    /// The certificates of its own addresses.
    Tls(String),
    /// A device code, or a user.
    Unknown(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(_) => f.write_str("the sandbox cannot start"),
            Self::NoSuchMachine(name) => write!(f, "there is no machine `{name}`"),
            Self::Tls(what) => write!(f, "the sandbox cannot make its certificates: {what}"),
            Self::Unknown(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// A running stand-in for Microsoft's cloud; it stops when it is dropped.
///
/// It runs on threads of its own, so that every method can be called from plain tests.
pub struct Sandbox {
    world: Arc<World>,
    folder: Folder,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sandbox")
            .field("addresses", &self.world.addresses)
            .finish_non_exhaustive()
    }
}

impl Sandbox {
    /// Starts a sandbox, and returns once all its agents listen.
    ///
    /// # Errors
    ///
    /// Returns an error when it cannot listen, write its folder or start its machines.
    pub fn start(options: Options) -> Result<Self, Error> {
        let folder = Folder::new()?;
        let machines_folder = folder.path().to_owned();
        let (started, outcome) = mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("entra-ssh-sandbox".to_owned())
            .spawn(move || launch::run(options, &machines_folder, &started, stopped))?;
        let world = outcome
            .recv()
            .map_err(|_| io::Error::other("the sandbox ended while it started"))??;
        let sandbox = Self {
            world,
            folder,
            stop: Some(stop),
            thread: Some(thread),
        };
        sandbox.write_files()?;
        Ok(sandbox)
    }

    /// Approves a device code in the name of a user.
    ///
    /// # Errors
    ///
    /// Returns an error when there is no such code or user.
    pub fn approve(&self, user_code: &str, upn: &str) -> Result<(), Error> {
        device_code::approve(&self.world, user_code, upn).map_err(Error::Unknown)
    }

    /// Refuses a device code.
    ///
    /// # Errors
    ///
    /// Returns an error when there is no such code.
    pub fn decline(&self, user_code: &str) -> Result<(), Error> {
        device_code::decline(&self.world, user_code).map_err(Error::Unknown)
    }

    /// Returns the user codes that nobody answered yet.
    #[must_use]
    pub fn pending_user_codes(&self) -> Vec<String> {
        device_code::pending(&self.world)
    }

    /// Makes something go wrong: once, or as often as [`Fault::times`](crate::Fault::times) says.
    pub fn fault(&self, fault: impl Into<Injection>) {
        self.world.faults.add(fault.into());
    }

    /// Forgets all faults that did not happen yet.
    pub fn clear_faults(&self) {
        self.world.faults.clear();
    }

    /// Returns what was asked so far, oldest first.
    #[must_use]
    pub fn requests(&self) -> Vec<RequestRow> {
        self.world.journal.rows()
    }

    /// Forgets what was asked so far.
    pub fn clear_requests(&self) {
        self.world.journal.clear();
    }

    /// Returns the address of Entra and ARM, `https://localhost:…`.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.world.addresses.cloud
    }

    /// Returns the Relay's address, `wss://127.0.0.1:…`.
    #[must_use]
    pub fn relay_endpoint(&self) -> String {
        self.world.addresses.relay()
    }

    /// Returns the options it was started with.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.world.options
    }

    /// Returns the public key of the SSH certificate authority, as a line of `authorized_keys`.
    #[must_use]
    pub fn ssh_authority(&self) -> String {
        self.world.signing_key.authorized_keys_line()
    }

    /// Returns a SAS token to listen on a hybrid connection with.
    #[must_use]
    pub fn listen_token(&self, hybrid_connection: &str) -> String {
        let expires = unix_now() + TOKEN_SECONDS;
        self.world
            .relay
            .token(Right::Listen, hybrid_connection, expires)
    }

    /// Returns a SAS token to connect to a hybrid connection with.
    #[must_use]
    pub fn send_token(&self, hybrid_connection: &str) -> String {
        let expires = unix_now() + TOKEN_SECONDS;
        self.world
            .relay
            .token(Right::Send, hybrid_connection, expires)
    }

    /// Returns the environment variables that a program has in such a place.
    ///
    /// The token file of [`Workload::Kubernetes`] is there once
    /// [`Sandbox::write_federated_token`] wrote it.
    #[must_use]
    pub fn environment(&self, workload: Workload) -> Vec<(&'static str, String)> {
        workload::environment(&self.world, workload)
    }

    /// Writes a fresh token of a Kubernetes service account in the old one's place, and returns the
    /// file.
    ///
    /// # Errors
    ///
    /// Returns an error when it cannot be written.
    pub fn write_federated_token(&self) -> Result<PathBuf, Error> {
        Ok(kubernetes::write(&self.world)?)
    }

    /// Makes a certificate, registers it with a service principal, and writes it down.
    ///
    /// # Errors
    ///
    /// Returns an error when there is no such service principal, or `openssl` does not write it.
    pub fn client_certificate(&self, client_id: &str) -> Result<ClientCertificate, Error> {
        certificate::make(&self.world, client_id).map_err(Error::Unknown)
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // The thread may have ended by itself.
            let _: Result<(), ()> = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            // A panic there was printed already.
            let _: std::thread::Result<()> = thread.join();
        }
    }
}
