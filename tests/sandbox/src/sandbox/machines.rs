//! The machines of a sandbox: where they are, and starting and stopping them.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::{Error, START_TIME, Sandbox};
use crate::arm;
use crate::options::Network;

impl Sandbox {
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
