use std::cell::Cell;
use std::pin::pin;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;

use super::super::context::Context;
use crate::agent::ask::{AddressQuestion, Tenancy};
use crate::azure::VmAddresses;
use crate::direct::{self, Addresses, Place};
use crate::failure::{Failure, FailureKind};
use crate::ids::{Address, ProfileName, ResourceId};
use crate::progress::Progress;

/// How long a machine usually takes to answer at the most. One that takes longer may be elsewhere by now.
const USUAL_TIME: Duration = Duration::from_secs(2);

/// How a machine with an address is connected to, as often as one likes.
pub(in super::super) struct Direct<'a> {
    pub(in super::super) progress: &'a dyn Progress,
    pub(in super::super) context: &'a Context,
    pub(in super::super) profile: ProfileName,
    pub(in super::super) tenancy: Tenancy,
    /// The machine; none if only its address is known.
    pub(in super::super) machine: Option<ResourceId>,
    /// The address that was named; without one, Azure is asked.
    pub(in super::super) address: Option<Address>,
    /// Whether a VM's private address is taken, even if it has a public one.
    pub(in super::super) prefer_private_ip: bool,
    /// The port on the machine.
    pub(in super::super) port: u16,
    /// Whether it has been said that the private address is taken for want of a public one.
    pub(in super::super) is_private_said: Cell<bool>,
}

impl Direct<'_> {
    /// Returns what people call the machine: its name, or the address if nothing else of it is known.
    pub(in super::super) fn name(&self) -> String {
        match (&self.machine, &self.address) {
            (Some(machine), _) => machine.name().to_string(),
            (None, address) => address
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
        }
    }

    /// Sees to it that there is an address, so that what stands in the way of one is told at once.
    pub(in super::super) async fn prepare(&self) -> Result<(), Failure> {
        if self.address.is_none() {
            self.choose(&self.ask(None).await?)?;
        }
        Ok(())
    }

    /// Opens a connection: to the address that was named, or to one that the agent knows. If nobody answers there, or not
    /// soon, the VM may have got another one since, or have been stopped.
    pub(in super::super) async fn connect(&self) -> Result<TcpStream, Failure> {
        if let Some(address) = &self.address {
            let place = self.place(Addresses::Named(address.clone()));
            return Ok(direct::connect(&place).await?);
        }
        let known = self.ask(None).await?;
        let place = self.choose(&known)?;
        let mut first = pin!(direct::connect(&place));
        let mut anew = pin!(self.connect_anew(&known));
        let error = match timeout(USUAL_TIME, &mut first).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => error,
            Err(_) => tokio::select! {
                tried = &mut first => match tried {
                    Ok(stream) => return Ok(stream),
                    Err(error) => error,
                },
                looked_up = &mut anew => match looked_up {
                    Some(outcome) => return outcome,
                    None => return Ok(first.await?),
                },
            },
        };
        anew.await.unwrap_or_else(|| Err(error.into()))
    }

    /// Has the VM looked up again, and opens a connection to it if it is elsewhere. That Azure cannot be asked says less than
    /// what was tried already.
    async fn connect_anew(&self, known: &VmAddresses) -> Option<Result<TcpStream, Failure>> {
        let other = self.ask(Some(known)).await.ok()?;
        if other == *known {
            return None;
        }
        let place = match self.choose(&other) {
            Ok(place) => place,
            Err(failure) => return Some(Err(failure)),
        };
        Some(direct::connect(&place).await.map_err(Failure::from))
    }

    async fn ask(&self, unreached: Option<&VmAddresses>) -> Result<VmAddresses, Failure> {
        let question = AddressQuestion {
            profile: self.profile.clone(),
            tenancy: self.tenancy.clone(),
            machine: self.id()?.clone(),
            unreached: unreached.cloned(),
        };
        let agent = self.context.agent_for(&self.profile).await?;
        agent.vm_addresses(question).await
    }

    fn id(&self) -> Result<&ResourceId, Failure> {
        let machine = self.machine.as_ref();
        machine.ok_or_else(|| Failure::new("no machine is named").kind(FailureKind::Usage))
    }

    /// Chooses among the addresses of a VM: the public ones, or, if it has none or it is asked for, the private ones.
    fn choose(&self, known: &VmAddresses) -> Result<Place, Failure> {
        let VmAddresses {
            public,
            private,
            power,
        } = known;
        let name = self.name();
        if power.is_off() {
            return Err(Failure::new(format!("`{name}` is {power}"))
                .hint(format!("start it: az vm start --ids {}", self.id()?)));
        }
        match (public.as_slice(), private.as_slice()) {
            ([], []) => Err(Failure::new(format!("`{name}` has no address")).hint(
                "give it a network interface with one, or name one that leads to it: --ip ADDRESS",
            )),
            ([_, ..], []) => Ok(self.place(Addresses::Public(public.clone()))),
            ([_, ..], _) if !self.prefer_private_ip => {
                Ok(self.place(Addresses::Public(public.clone())))
            }
            (public, _) => {
                let place = self.place(Addresses::Private(private.clone()));
                let is_wanted = self.prefer_private_ip || !public.is_empty();
                if !is_wanted && !self.is_private_said.replace(true) {
                    self.progress.say(&format!(
                        "`{name}` has no public address; connecting to its private one, {place}"
                    ));
                }
                Ok(place)
            }
        }
    }

    fn place(&self, addresses: Addresses) -> Place {
        Place {
            machine: self.name(),
            addresses,
            port: self.port,
        }
    }
}
