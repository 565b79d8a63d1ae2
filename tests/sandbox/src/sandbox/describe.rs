//! What somebody needs to know to use a sandbox.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::Sandbox;
use crate::description::{
    DescribedMachine, DescribedRelay, DescribedServicePrincipal, DescribedUser, Description,
};
use crate::options::{Connectivity, MachineSpec, ResourceKind};
use crate::workload::Workload;

impl Sandbox {
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
