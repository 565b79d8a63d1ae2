//! Starting, steering and stopping a sandbox.

mod launch;

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::arm;
use crate::clock::unix_now;
use crate::description::{
    DescribedMachine, DescribedRelay, DescribedServicePrincipal, DescribedUser, Description,
};
use crate::entra::{AZURE_CLI, device_code};
use crate::fault::Injection;
use crate::folder::Folder;
use crate::journal::RequestRow;
use crate::options::{Connectivity, MachineSpec, Network, Options, ResourceKind};
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

    /// Returns the file for `--cloud`.
    #[must_use]
    pub fn cloud_file(&self) -> PathBuf {
        self.folder.path().join("cloud.toml")
    }

    /// Returns a file for `--cloud` whose addresses lead through a middlebox: they show a certificate
    /// of "Contoso TLS Inspection CA", which is in nobody's list.
    #[must_use]
    pub fn inspected_cloud_file(&self) -> PathBuf {
        self.folder.path().join("inspected.toml")
    }

    /// Returns the certificate authority of all addresses, a PEM file.
    #[must_use]
    pub fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Returns the certificate authority of all addresses as PEM.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        &self.world.ca_pem
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

    /// Returns where a machine's SSH server listens.
    ///
    /// # Errors
    ///
    /// Returns an error when no machine has that name, or nothing runs for it.
    pub fn machine_address(&self, name: &str) -> Result<SocketAddr, Error> {
        self.world
            .agents
            .machine_address(self.machine(name)?)
            .ok_or_else(|| Error::NoSuchMachine(name.to_owned()))
    }

    /// Returns the host key of a machine, `ssh-… …`.
    ///
    /// # Errors
    ///
    /// Returns an error when no machine has that name, or nothing runs for it.
    pub fn machine_host_key(&self, name: &str) -> Result<String, Error> {
        self.world
            .agents
            .host_key(self.machine(name)?)
            .map(str::to_owned)
            .ok_or_else(|| Error::NoSuchMachine(name.to_owned()))
    }

    /// Returns the name of a machine's hybrid connection.
    ///
    /// # Errors
    ///
    /// Returns an error when no machine has that name.
    pub fn hybrid_connection(&self, machine: &str) -> Result<String, Error> {
        let machine = self.machine(machine)?;
        Ok(self.world.relay.connection_of(machine).to_owned())
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

    /// Connects a VM otherwise from now on, as far as ARM tells.
    ///
    /// # Errors
    ///
    /// Returns an error when no machine has that name.
    pub fn set_network(&self, machine: &str, network: Network) -> Result<(), Error> {
        let index = self.machine(machine)?;
        arm::set_network(&self.world, &self.world.options.machines[index], network);
        Ok(())
    }

    /// Stops a machine's Arc agent.
    ///
    /// # Errors
    ///
    /// Returns an error when no machine has that name.
    pub fn stop_agent(&self, machine: &str) -> Result<(), Error> {
        wait(self.world.agents.stop(self.machine(machine)?));
        Ok(())
    }

    /// Starts a machine's Arc agent again, and returns once it listens.
    ///
    /// # Errors
    ///
    /// Returns an error when no machine has that name.
    pub fn start_agent(&self, machine: &str) -> Result<(), Error> {
        let machine = self.machine(machine)?;
        wait(self.world.agents.restart(machine, Duration::ZERO));
        Ok(())
    }

    /// Stops a machine's SSH server; its agent goes on listening.
    ///
    /// # Errors
    ///
    /// Returns an error when no machine has that name.
    pub fn stop_machine(&self, machine: &str) -> Result<(), Error> {
        wait(self.world.agents.stop_machine(self.machine(machine)?));
        Ok(())
    }

    /// Returns what somebody needs to know to use it.
    #[must_use]
    pub fn description(&self) -> Description {
        let options = &self.world.options;
        let first = options.tenants.first();
        Description {
            cloud_file: self.cloud_file().display().to_string(),
            inspected_cloud_file: self.inspected_cloud_file().display().to_string(),
            ca_file: self.ca_file().display().to_string(),
            authority: self.authority().to_owned(),
            resource_manager: self.authority().to_owned(),
            tenant: first.map(|tenant| tenant.id.clone()).unwrap_or_default(),
            subscription: first
                .map(|tenant| tenant.subscription_id.clone())
                .unwrap_or_default(),
            users: options
                .users
                .iter()
                .map(|user| DescribedUser {
                    upn: user.upn.clone(),
                })
                .collect(),
            service_principals: options
                .service_principals
                .iter()
                .map(|principal| DescribedServicePrincipal {
                    client_id: principal.client_id.clone(),
                    client_secret: principal.client_secret.clone(),
                })
                .collect(),
            machines: self.describe_machines(),
            relay: self.describe_relay(),
            control: self.world.addresses.control.clone(),
            workloads: Workload::ALL
                .map(|place| self.describe_workload(place))
                .into(),
        }
    }

    fn describe_machines(&self) -> Vec<DescribedMachine> {
        let machines = self.world.options.machines.iter().enumerate();
        let described = machines.map(|(index, machine)| {
            let address = self.world.agents.machine_address(index);
            let is_vm = machine.kind == ResourceKind::Vm;
            describe(machine, address.filter(|_| is_vm))
        });
        described.collect()
    }

    fn describe_workload(&self, place: Workload) -> (String, BTreeMap<String, String>) {
        let variables = self.environment(place).into_iter();
        let variables = variables.map(|(name, value)| (name.to_owned(), value));
        (place.word().to_owned(), variables.collect())
    }

    fn describe_relay(&self) -> DescribedRelay {
        let machines = self.world.options.machines.iter().enumerate();
        let (hybrid_connection, machine) = machines
            .filter(|(_, machine)| machine.connectivity == Connectivity::NobodyListens)
            .map(|(index, machine)| (self.world.relay.connection_of(index), &machine.name))
            .next()
            .map(|(connection, machine)| (connection.to_owned(), machine.clone()))
            .unwrap_or_default();
        DescribedRelay {
            endpoint: self.relay_endpoint(),
            listen_token: self.listen_token(&hybrid_connection),
            hybrid_connection,
            machine,
        }
    }

    /// Finds a machine by name or resource ID.
    fn machine(&self, name: &str) -> Result<usize, Error> {
        self.world
            .options
            .machines
            .iter()
            .position(|machine| {
                machine.name.eq_ignore_ascii_case(name)
                    || machine.resource_id().eq_ignore_ascii_case(name)
            })
            .ok_or_else(|| Error::NoSuchMachine(name.to_owned()))
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the folder is private, and its files hold no secret"
    )]
    fn write_files(&self) -> io::Result<()> {
        fs::write(self.ca_file(), &self.world.ca_pem)?;
        let files = [
            (self.cloud_file(), self.authority()),
            (self.inspected_cloud_file(), &self.world.addresses.inspected),
        ];
        for (file, address) in files {
            let text = format!(
                "name = \"sandbox\"\n\
                 authority = \"{address}\"\n\
                 resource_manager = \"{address}\"\n\
                 resource_manager_scope = \"https://management.core.windows.net//.default\"\n\
                 ssh_scope = \"ce6ff14a-7fdc-4685-bbe0-f6afdfcfa8e0/.default\"\n\
                 client_id = \"{AZURE_CLI}\"\n\
                 ca_file = \"ca.pem\"\n"
            );
            fs::write(file, text)?;
        }
        Ok(())
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

fn describe(machine: &MachineSpec, address: Option<SocketAddr>) -> DescribedMachine {
    DescribedMachine {
        port: address.map(|address| address.port()),
        name: machine.name.clone(),
        resource_group: machine.resource_group.clone(),
        resource_id: machine.resource_id(),
        kind: machine.kind.word().to_owned(),
    }
}

/// Waits for a task to do what it was told, on a thread that is not of the runtime.
fn wait(mut done: oneshot::Receiver<()>) {
    let deadline = Instant::now() + START_TIME;
    while matches!(done.try_recv(), Err(oneshot::error::TryRecvError::Empty))
        && Instant::now() < deadline
    {
        std::thread::sleep(Duration::from_millis(2));
    }
}
