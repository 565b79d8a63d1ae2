use std::cell::Cell;
use std::time::Duration;

use tokio::net::TcpStream;

use super::destination::Destination;
use super::dialer::{self, Dialer};
use super::error::ConnectError;
use crate::agent::ask::AddressQuestion;
use crate::agent::client::AgentClient;
use crate::azure::VmAddresses;
use crate::direct::{self, Addresses, Place};
use crate::ids::{Address, ResourceId};
use crate::progress::Progress;

/// How long a machine usually takes to answer. One that takes longer may have another address by now.
const USUAL_TIME: Duration = Duration::from_secs(2);

/// The direct route: TCP to an address that the user named, or that the agent looks up.
pub(super) struct Direct<'a> {
    destination: Destination,
    agent: AgentClient,
    progress: &'a dyn Progress,
    /// Whether the user has been told that a private address is used for lack of a public one.
    is_private_said: Cell<bool>,
}

impl<'a> Direct<'a> {
    pub(super) const fn new(
        destination: Destination,
        agent: AgentClient,
        progress: &'a dyn Progress,
    ) -> Self {
        Self {
            destination,
            agent,
            progress,
            is_private_said: Cell::new(false),
        }
    }

    pub(super) fn name(&self) -> String {
        self.destination.name()
    }

    /// Checks that there is an address, so that an obstacle shows at once.
    pub(super) async fn prepare(&self) -> Result<(), ConnectError> {
        match self.lookup()? {
            Lookup::Named(_) => Ok(()),
            Lookup::Vm(lookup) => lookup.lead().await.map(drop),
        }
    }

    /// Opens a connection. If the VM does not answer soon, its address is looked up again: it may have changed, or the VM may be
    /// stopped.
    pub(super) async fn connect(&self) -> Result<TcpStream, ConnectError> {
        match self.lookup()? {
            Lookup::Named(address) => {
                let place = self.place(Addresses::Named(address.clone()));
                Ok(direct::connect(&place).await?)
            }
            Lookup::Vm(lookup) => dialer::connect(&lookup).await,
        }
    }

    fn lookup(&self) -> Result<Lookup<'_>, ConnectError> {
        match (&self.destination.address, &self.destination.machine) {
            (Some(address), _) => Ok(Lookup::Named(address)),
            (None, Some(vm)) => Ok(Lookup::Vm(VmLookup { route: self, vm })),
            (None, None) => Err(ConnectError::NoMachine),
        }
    }

    fn place(&self, addresses: Addresses) -> Place {
        Place {
            machine: self.name(),
            addresses,
            port: self.destination.port,
        }
    }
}

/// Where the address comes from.
enum Lookup<'a> {
    Named(&'a Address),
    Vm(VmLookup<'a>),
}

/// A VM whose addresses the agent looks up.
struct VmLookup<'a> {
    route: &'a Direct<'a>,
    vm: &'a ResourceId,
}

/// The addresses of a VM, and those of them to connect to.
struct Lead {
    known: VmAddresses,
    place: Place,
}

impl VmLookup<'_> {
    async fn ask(&self, unreached: Option<&VmAddresses>) -> Result<VmAddresses, ConnectError> {
        let Direct {
            destination, agent, ..
        } = self.route;
        let question = AddressQuestion {
            profile: destination.profile.clone(),
            tenancy: destination.tenancy.clone(),
            machine: self.vm.clone(),
            unreached: unreached.cloned(),
        };
        let answer = agent.vm_addresses(question).await;
        answer.map_err(ConnectError::Agent)
    }

    /// Chooses among the addresses: the public ones, or the private ones if the VM has no other or the user prefers them.
    fn choose(&self, known: VmAddresses) -> Result<Lead, ConnectError> {
        let VmAddresses {
            public,
            private,
            power,
        } = &known;
        if power.is_off() {
            return Err(ConnectError::PoweredOff {
                machine: self.vm.clone(),
                power: *power,
            });
        }
        let prefers_private = self.route.destination.prefer_private_ip;
        let place = match (public.as_slice(), private.as_slice()) {
            ([], []) => {
                return Err(ConnectError::NoAddress {
                    machine: self.vm.name().clone(),
                });
            }
            ([_, ..], []) => self.route.place(Addresses::Public(public.clone())),
            ([_, ..], [_, ..]) if !prefers_private => {
                self.route.place(Addresses::Public(public.clone()))
            }
            (_, [_, ..]) => {
                let place = self.route.place(Addresses::Private(private.clone()));
                let is_for_lack = public.is_empty() && !prefers_private;
                if is_for_lack && !self.route.is_private_said.replace(true) {
                    let name = self.vm.name();
                    self.route.progress.say(&format!(
                        "`{name}` has no public address; connecting to its private one, {place}"
                    ));
                }
                place
            }
        };
        Ok(Lead { known, place })
    }
}

impl Dialer for VmLookup<'_> {
    type Lead = Lead;
    type Connection = TcpStream;

    const USUAL_TIME: Option<Duration> = Some(USUAL_TIME);

    async fn lead(&self) -> Result<Lead, ConnectError> {
        self.choose(self.ask(None).await?)
    }

    /// A failed lookup says less than the failed connection, and so counts as no other lead.
    async fn another_lead(&self, failed: &Lead) -> Result<Option<Lead>, ConnectError> {
        match self.ask(Some(&failed.known)).await {
            Ok(other) if other != failed.known => self.choose(other).map(Some),
            _ => Ok(None),
        }
    }

    async fn dial(&self, lead: &Lead) -> Result<TcpStream, ConnectError> {
        Ok(direct::connect(&lead.place).await?)
    }

    /// Whatever keeps the machine from answering, another address may cure it.
    fn is_outdated(&self, _lead: &Lead, _error: &ConnectError) -> bool {
        true
    }
}
