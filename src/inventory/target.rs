use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use super::error::InventoryError;
use crate::ids::{Account, Address, MachineName, ParseIdError, ResourceGroup, ResourceId};

/// What the user types for a machine.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Target {
    /// `10.0.0.4`: the machine at this address.
    Address(Address),
    /// `/subscriptions/…`
    Id(ResourceId),
    /// `web01` or `rg-web/web01`
    Name {
        /// The resource group, if the user named one.
        group: Option<ResourceGroup>,
        /// The machine's name.
        name: MachineName,
    },
}

impl FromStr for Target {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.starts_with('/') {
            return text.parse().map(Self::Id);
        }
        if text.parse::<IpAddr>().is_ok() {
            return text.parse().map(Self::Address);
        }
        match text.split_once('/') {
            Some((group, name)) => Ok(Self::Name {
                group: Some(group.parse()?),
                name: name.parse()?,
            }),
            None => Ok(Self::Name {
                group: None,
                name: text.parse()?,
            }),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Id(id) => id.fmt(f),
            Self::Name {
                group: Some(group),
                name,
            } => write!(f, "{group}/{name}"),
            Self::Name { group: None, name } => name.fmt(f),
        }
    }
}

impl Target {
    /// Returns the machine that this names, as an account sees it; `None` for an address, since Azure is not asked whose it is.
    /// `look_up` returns the machines of a name.
    ///
    /// # Errors
    /// [`InventoryError`] if there is no machine, or if there are several: none is chosen.
    pub(super) async fn find(
        &self,
        account: &Account,
        group: Option<&ResourceGroup>,
        look_up: impl AsyncFnOnce(
            &MachineName,
            Option<&ResourceGroup>,
        ) -> Result<Vec<ResourceId>, InventoryError>,
    ) -> Result<Option<ResourceId>, InventoryError> {
        let own_group = match self {
            Self::Address(address) if group.is_some() => {
                return Err(InventoryError::AddressInGroup {
                    address: address.clone(),
                });
            }
            Self::Address(_) => None,
            Self::Id(id) => Some(id.group()),
            Self::Name { group, .. } => group.as_ref(),
        };
        if let (Some(one), Some(other)) = (own_group, group)
            && !one.as_str().eq_ignore_ascii_case(other.as_str())
        {
            return Err(InventoryError::TwoGroups {
                one: one.clone(),
                other: other.clone(),
            });
        }
        let name = match self {
            Self::Address(_) => return Ok(None),
            Self::Id(id) => return Ok(Some(id.clone())),
            Self::Name { name, .. } => name,
        };
        let group = own_group.or(group);
        let machines = look_up(name, group).await?;
        match machines.as_slice() {
            [machine] => Ok(Some(machine.clone())),
            [_, ..] => Err(InventoryError::Ambiguous {
                name: name.clone(),
                machines,
            }),
            [] => Err(InventoryError::NotFound {
                account: account.clone(),
                name: name.clone(),
                group: group.cloned(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_told_apart_by_their_slashes() {
        assert!(matches!(
            "web01".parse(),
            Ok(Target::Name { group: None, .. })
        ));
        assert!(matches!(
            "rg-web/web01".parse(),
            Ok(Target::Name { group: Some(_), .. })
        ));
        let id = "/subscriptions/0b1f6471-1bf0-4dda-aec3-cb9272f09590/resourceGroups/rg-web/providers/\
            Microsoft.HybridCompute/machines/web01";
        assert!(matches!(id.parse(), Ok(Target::Id(_))));
        for text in ["10.0.0.4", "fd00::4"] {
            assert!(matches!(text.parse(), Ok(Target::Address(_))), "{text}");
        }
        for text in ["web01", "rg-web/web01", id, "10.0.0.4"] {
            assert_eq!(text.parse::<Target>().unwrap().to_string(), text);
        }
        assert!("a/b/c".parse::<Target>().is_err());
        assert!("".parse::<Target>().is_err());
        assert!("/subscriptions/x".parse::<Target>().is_err());
    }
}
