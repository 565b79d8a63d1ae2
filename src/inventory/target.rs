//! From what people type to a machine: a resource ID, a name, `group/name`, or an address.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use crate::failure::{Failure, FailureKind};
use crate::ids::{Account, Address, MachineName, ParseIdError, ResourceGroup, ResourceId};

/// What people type for a machine.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Target {
    /// `10.0.0.4`: whatever machine is there.
    Address(Address),
    /// `/subscriptions/…`
    Id(ResourceId),
    /// `web01` or `rg-web/web01`
    Name {
        /// The resource group, if it was named.
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

/// Finds the machine that a target names, as an account sees it, for which machines of a name are looked up; `None` if it is an
/// address, of which Azure is not asked whose it is.
///
/// # Errors
/// [`Failure`] if there is none, or if there are several: they are listed then, and none is chosen.
pub(crate) async fn find(
    account: &Account,
    target: &Target,
    group: Option<&ResourceGroup>,
    look_up: impl AsyncFnOnce(&MachineName, Option<&ResourceGroup>) -> Result<Vec<ResourceId>, Failure>,
) -> Result<Option<ResourceId>, Failure> {
    let own_group = match target {
        Target::Address(address) if group.is_some() => {
            return Err(Failure::new(format!(
                "`{address}` is an address, and a resource group belongs to a name"
            ))
            .kind(FailureKind::Usage)
            .hint("leave --resource-group out, or name the machine and its address: NAME --ip ADDRESS"));
        }
        Target::Address(_) => None,
        Target::Id(id) => Some(id.group()),
        Target::Name { group, .. } => group.as_ref(),
    };
    if let (Some(one), Some(other)) = (own_group, group)
        && !one.as_str().eq_ignore_ascii_case(other.as_str())
    {
        return Err(Failure::new(format!(
            "two resource groups are named: `{one}` and `{other}`"
        ))
        .kind(FailureKind::Usage)
        .hint("leave --resource-group out"));
    }
    let name = match target {
        Target::Address(_) => return Ok(None),
        Target::Id(id) => return Ok(Some(id.clone())),
        Target::Name { name, .. } => name,
    };
    let group = own_group.or(group);
    let found = look_up(name, group).await?;
    match found.as_slice() {
        [machine] => Ok(Some(machine.clone())),
        [] => Err(none_found(account, name, group)),
        several => Err(ambiguous(name, several)),
    }
}

fn none_found(account: &Account, name: &MachineName, group: Option<&ResourceGroup>) -> Failure {
    let place = group.map_or(String::new(), |group| {
        format!(" in the resource group `{group}`")
    });
    Failure::new(format!("`{account}` sees no machine `{name}`{place}")).hint(
        "check the name, and that the account may read the machine: az resource list --name NAME",
    )
}

fn ambiguous(name: &MachineName, several: &[ResourceId]) -> Failure {
    let mut failure = Failure::new(format!(
        "there are {} machines named `{name}`",
        several.len()
    ));
    failure.causes = several
        .iter()
        .map(|id| format!("there is {id}").into())
        .collect();
    let first = several.first().map_or(String::new(), |id| {
        format!(
            "name the resource group: {}/{name}, or the resource ID",
            id.group()
        )
    });
    failure.hint(first)
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
