//! How a VM is connected.

use std::net::{IpAddr, Ipv4Addr};

/// A VM's network, as far as ARM tells of it, and whether the VM runs. What listens for the machine is on 127.0.0.1 whatever
/// this says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Network {
    /// The public address of its interface.
    pub public: PublicAddress,
    /// The private one; without it, the VM has no interface.
    pub private: Option<IpAddr>,
    /// What comes after `PowerState/`: `running`, `deallocated`, …
    pub power_state: String,
}

impl Default for Network {
    fn default() -> Self {
        let here = IpAddr::from(Ipv4Addr::LOCALHOST);
        Self {
            public: PublicAddress::Is(here),
            private: Some(here),
            power_state: "running".to_owned(),
        }
    }
}

/// The public address of an interface.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PublicAddress {
    /// There is none.
    Absent,
    /// There is this one.
    Is(IpAddr),
    /// There is one that gets its address when the VM is started.
    Unassigned,
}
