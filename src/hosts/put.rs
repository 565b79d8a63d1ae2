//! What adding a host changes. An alias leads to another machine only if the user says so.

use super::error::HostsError;
use crate::ids::HostAlias;
use crate::ssh_config::{Block, ManagedConfig};

/// What adding a host has changed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Change {
    /// The alias is new.
    Added,
    /// The machine is the same, and these fields are different.
    Changed(Vec<&'static str>),
    /// The alias was that of another machine.
    Replaced,
    Unchanged,
}

impl Change {
    /// Returns the word for it that `config add -o json` prints.
    pub(crate) const fn word(&self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Changed(_) => "changed",
            Self::Replaced => "replaced",
            Self::Unchanged => "unchanged",
        }
    }

    /// Returns the fields that are different, by their names in `config list -o json`.
    pub(crate) fn fields(&self) -> &[&'static str] {
        match self {
            Self::Changed(fields) => fields,
            _ => &[],
        }
    }
}

/// Adds a host. Its alias leads to another machine from then on only if it may `replace` that one.
///
/// # Errors
/// [`HostsError::AliasTaken`].
pub(crate) fn put(
    config: &mut ManagedConfig,
    block: &Block,
    replace: bool,
) -> Result<Change, HostsError> {
    let before = config.blocks().find(|before| before.host == block.host);
    let change = match before {
        None => Change::Added,
        Some(before) if is_same_machine(before, block) => match differences(before, block) {
            fields if fields.is_empty() => return Ok(Change::Unchanged),
            fields => Change::Changed(fields),
        },
        Some(_) if replace => Change::Replaced,
        Some(before) => return Err(taken(before, block)),
    };
    config.insert(block.clone());
    Ok(change)
}

/// Returns what a host leads to: the resource ID, or the address of a machine of which nothing else is known.
pub(crate) fn destination(block: &Block) -> String {
    let id = block.resource_id.as_ref().map(ToString::to_string);
    let address = || block.address.as_ref().map(ToString::to_string);
    id.or_else(address)
        .unwrap_or_else(|| block.host.to_string())
}

/// Returns the name of a machine that tells it from others of its name: `rg-web/web01`.
pub(crate) fn machine_name(block: &Block) -> String {
    match &block.resource_id {
        Some(id) => format!("{}/{}", id.group(), id.name()),
        None => destination(block),
    }
}

fn is_same_machine(one: &Block, other: &Block) -> bool {
    match (&one.resource_id, &other.resource_id) {
        (Some(one), Some(other)) => one == other,
        (None, None) => destination(one).eq_ignore_ascii_case(&destination(other)),
        _ => false,
    }
}

fn differences(before: &Block, after: &Block) -> Vec<&'static str> {
    [
        ("user", before.user != after.user),
        ("route", before.route != after.route),
        ("identity", before.identity != after.identity),
        ("profile", before.profile != after.profile),
        ("tenant", before.tenant != after.tenant),
        ("port", before.port != after.port),
        ("address", before.address != after.address),
        (
            "prefer_private_ip",
            before.prefer_private_ip != after.prefer_private_ip,
        ),
        (
            "private_key_file",
            before.private_key_file != after.private_key_file,
        ),
        (
            "public_key_file",
            before.public_key_file != after.public_key_file,
        ),
    ]
    .into_iter()
    .filter_map(|(name, is_different)| is_different.then_some(name))
    .collect()
}

fn taken(before: &Block, block: &Block) -> HostsError {
    let alias = &block.host;
    let other = match &block.resource_id {
        Some(id) => format!("{alias}-{}", id.group()),
        None => format!("{alias}-2"),
    };
    HostsError::AliasTaken {
        alias: alias.clone(),
        holder: destination(before),
        machine: machine_name(block),
        suggestion: HostAlias::closest_to(&other),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const EAST: &str = "/subscriptions/0b1f6471-1bf0-4dda-aec3-cb9272f09590/resourceGroups/rg-east/providers/\
        Microsoft.HybridCompute/machines/web01";

    /// Returns a host, with some of its fields set otherwise.
    fn host(fields: &Value) -> Block {
        let mut block = json!({
            "host": "web01", "resource_id": EAST, "user": "alice@contoso.com", "route": "relay", "identity": "agent",
            "profile": "default", "port": 22,
        });
        for (name, value) in fields.as_object().unwrap() {
            block[name] = value.clone();
        }
        serde_json::from_value(block).unwrap()
    }

    fn with(block: &Block) -> ManagedConfig {
        let mut config = ManagedConfig::default();
        assert_eq!(put(&mut config, block, false).unwrap(), Change::Added);
        config
    }

    #[test]
    fn the_same_machine_is_changed_where_it_differs() {
        let before = host(&json!({}));
        let mut config = with(&before);
        assert_eq!(put(&mut config, &before, false).unwrap(), Change::Unchanged);
        let after = host(&json!({ "port": 2222, "user": "bob@contoso.com" }));
        let change = put(&mut config, &after, false).unwrap();
        assert_eq!(change, Change::Changed(vec!["user", "port"]));
        assert_eq!(config.blocks().collect::<Vec<_>>(), [&after]);
    }

    #[test]
    fn addresses_are_compared_without_regard_to_case() {
        let by_address = |address: &str| host(&json!({ "resource_id": null, "address": address }));
        let mut config = with(&by_address("VM01.contoso.com"));
        let change = put(&mut config, &by_address("vm01.contoso.com"), false).unwrap();
        assert_eq!(change, Change::Changed(vec!["address"]));
        assert!(put(&mut config, &by_address("vm02.contoso.com"), false).is_err());
    }

    #[test]
    fn reject_the_alias_of_another_machine_unless_it_may_be_replaced() {
        let before = host(&json!({}));
        let mut config = with(&before);
        let west = host(&json!({ "resource_id": EAST.replace("rg-east", "rg-west") }));
        let refusal = put(&mut config, &west, false).unwrap_err();
        let HostsError::AliasTaken {
            alias,
            holder,
            machine,
            suggestion,
        } = refusal
        else {
            panic!("{refusal}");
        };
        assert_eq!(
            (alias.as_str(), holder.as_str(), machine.as_str()),
            ("web01", EAST, "rg-west/web01")
        );
        assert_eq!(suggestion.unwrap().as_str(), "web01-rg-west");
        assert_eq!(config.blocks().collect::<Vec<_>>(), [&before]);
        assert_eq!(put(&mut config, &west, true).unwrap(), Change::Replaced);
        assert_eq!(config.blocks().collect::<Vec<_>>(), [&west]);
    }
}
