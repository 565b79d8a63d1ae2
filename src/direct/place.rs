use std::fmt;
use std::net::IpAddr;

use crate::ids::Address;

/// Where a machine listens.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Place {
    /// The machine's name, for messages.
    pub machine: String,
    /// Its addresses.
    pub addresses: Addresses,
    /// The port.
    pub port: u16,
}

/// The addresses of a machine, by the networks that they can be reached from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Addresses {
    /// One that the user named.
    Named(Address),
    /// Those that its own networks lead to.
    Private(Vec<IpAddr>),
    /// Those that the Internet leads to.
    Public(Vec<IpAddr>),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<String> = match &self.addresses {
            Addresses::Named(address) => vec![address.to_string()],
            Addresses::Private(addresses) | Addresses::Public(addresses) => {
                addresses.iter().map(IpAddr::to_string).collect()
            }
        };
        for (index, text) in texts.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            if text.contains(':') {
                write!(f, "{separator}[{text}]:{}", self.port)?;
            } else {
                write!(f, "{separator}{text}:{}", self.port)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(addresses: Addresses, port: u16) -> Place {
        Place {
            machine: "vm01".to_owned(),
            addresses,
            port,
        }
    }

    #[test]
    fn a_place_is_told_with_all_its_addresses() {
        let both = vec!["10.0.0.4".parse().unwrap(), "fd00::4".parse().unwrap()];
        for (addresses, expected) in [
            (Addresses::Private(both), "10.0.0.4:22, [fd00::4]:22"),
            (Addresses::Named("::1".parse().unwrap()), "[::1]:22"),
            (
                Addresses::Named("vm01.example".parse().unwrap()),
                "vm01.example:22",
            ),
        ] {
            assert_eq!(place(addresses, 22).to_string(), expected);
        }
    }
}
