use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{MachineName, ParseIdError, ResourceGroup, SubscriptionId};

/// How much of a machine's name its host name begins with, in characters.
const HOST_NAME_CHARS: usize = 8;
/// How much of its digest follows: 65 bits, too many to collide by chance, or cheaply on purpose.
const DIGEST_CHARS: usize = 13;

const EXPECTED: &str = "the resource ID of a machine \
    (/subscriptions/{id}/resourceGroups/{group}/providers/{type}/{name})";

/// The kinds of machine that ssh can reach in Azure, by resource type.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum MachineKind {
    /// A server anywhere with the Azure Arc agent: `Microsoft.HybridCompute/machines`.
    Arc,
    /// A machine of Azure Local: `Microsoft.AzureStackHCI/virtualMachines`.
    AzureLocal,
    /// A machine of System Center Virtual Machine Manager: `Microsoft.ScVmm/virtualMachines`.
    Scvmm,
    /// An Azure VM: `Microsoft.Compute/virtualMachines`.
    Vm,
    /// A machine of `VMware` vSphere: `Microsoft.ConnectedVMwarevSphere/virtualMachines`.
    #[serde(rename = "vmware")]
    VMware,
}

impl MachineKind {
    /// All kinds.
    pub const ALL: [Self; 5] = [
        Self::Arc,
        Self::AzureLocal,
        Self::Scvmm,
        Self::Vm,
        Self::VMware,
    ];

    /// Returns the resource type, as Azure writes it.
    #[must_use]
    pub const fn resource_type(self) -> &'static str {
        match self {
            Self::Arc => "Microsoft.HybridCompute/machines",
            Self::AzureLocal => "Microsoft.AzureStackHCI/virtualMachines",
            Self::Scvmm => "Microsoft.ScVmm/virtualMachines",
            Self::Vm => "Microsoft.Compute/virtualMachines",
            Self::VMware => "Microsoft.ConnectedVMwarevSphere/virtualMachines",
        }
    }

    /// Returns the kind with this resource type, which Azure compares without regard to case.
    #[must_use]
    pub fn from_resource_type(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.resource_type().eq_ignore_ascii_case(text))
    }

    /// Returns whether a connection goes through the relay; an Azure VM is reached by its address.
    #[must_use]
    pub const fn is_relayed(self) -> bool {
        !matches!(self, Self::Vm)
    }
}

impl fmt::Display for MachineKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Arc => "Arc-enabled server",
            Self::AzureLocal => "Azure Local machine",
            Self::Scvmm => "SCVMM machine",
            Self::Vm => "Azure VM",
            Self::VMware => "VMware machine",
        })
    }
}

/// The resource ID of a machine.
///
/// ```text
/// /subscriptions/{s}/resourceGroups/{rg}/providers/Microsoft.HybridCompute/machines/{name}
/// ```
///
/// Azure compares all of it without regard to case; so do `Eq` and `Hash` here.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct ResourceId {
    subscription: SubscriptionId,
    group: ResourceGroup,
    kind: MachineKind,
    name: MachineName,
}

impl ResourceId {
    /// Puts a resource ID together.
    #[must_use]
    pub const fn new(
        subscription: SubscriptionId,
        group: ResourceGroup,
        kind: MachineKind,
        name: MachineName,
    ) -> Self {
        Self {
            subscription,
            group,
            kind,
            name,
        }
    }

    /// Returns the subscription.
    #[must_use]
    pub const fn subscription(&self) -> &SubscriptionId {
        &self.subscription
    }

    /// Returns the resource group.
    #[must_use]
    pub const fn group(&self) -> &ResourceGroup {
        &self.group
    }

    /// Returns the kind of machine.
    #[must_use]
    pub const fn kind(&self) -> MachineKind {
        self.kind
    }

    /// Returns the machine's name.
    #[must_use]
    pub const fn name(&self) -> &MachineName {
        &self.name
    }

    /// Returns the name that ssh knows this machine by, whatever address or alias it is reached by: what `%h` and `%C` of a
    /// `ControlPath` are made of, and the name in `known_hosts`.
    ///
    /// ```text
    /// web01-n2gk3jzkzx5cq     part of the machine's name, and 65 bits of the SHA-256 of the resource ID in lower case
    /// ```
    ///
    /// It is a host name, and short: `~/.ssh/cm-%r@%h:%p` has to fit into the 108 bytes of a socket's address with a long login
    /// name, and ssh adds 17 of its own.
    #[must_use]
    pub fn to_host_name(&self) -> String {
        let name = self.name.as_str().to_ascii_lowercase();
        let kept: String = name
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
            .take(HOST_NAME_CHARS)
            .collect();
        let kept = match kept.trim_matches('-') {
            "" => "machine",
            kept => kept,
        };
        let digest = Sha256::digest(self.to_string().to_ascii_lowercase());
        format!("{kept}-{}", base32(&digest, DIGEST_CHARS))
    }

    /// Returns the name that earlier versions kept the machine's key by in `known_hosts`. Two machines may have the same.
    ///
    /// ```text
    /// web01.rg-web.0b1f6471-1bf0-4dda-aec3-cb9272f09590.hybridcompute.azure
    /// ```
    #[must_use]
    pub fn to_earlier_host_key_alias(&self) -> String {
        let kind = match self.kind {
            MachineKind::Arc => "hybridcompute",
            MachineKind::AzureLocal => "azurestackhci",
            MachineKind::Scvmm => "scvmm",
            MachineKind::Vm => "compute",
            MachineKind::VMware => "connectedvmwarevsphere",
        };
        format!(
            "{}.{}.{}.{kind}.azure",
            self.name, self.group, self.subscription
        )
        .to_lowercase()
        .replace(['(', ')'], "_")
    }
}

/// Returns the first characters of bytes in base 32 (RFC 4648, section 6), in lower case.
fn base32(bytes: &[u8], length: usize) -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let bit = |index: usize| {
        let byte = bytes.get(index / 8).copied().unwrap_or_default();
        usize::from(byte >> (7 - index % 8) & 1)
    };
    (0..length)
        .map(|place| (0..5).fold(0, |value, index| value * 2 + bit(place * 5 + index)))
        .filter_map(|value| ALPHABET.get(value).copied().map(char::from))
        .collect()
}

/// The resource ID of anything in a resource group, taken apart and no more.
pub(crate) struct ResourceIdParts<'a> {
    pub(crate) subscription: &'a str,
    pub(crate) group: &'a str,
    namespace: &'a str,
    kind: &'a str,
    pub(crate) name: &'a str,
}

impl<'a> ResourceIdParts<'a> {
    /// Takes it apart; `None` if it is none. Azure compares its words without regard to case.
    pub(crate) fn split(text: &'a str) -> Option<Self> {
        let parts: Vec<&str> = text.split('/').collect();
        let [
            "",
            subscriptions,
            subscription,
            groups,
            group,
            providers,
            namespace,
            kind,
            name,
        ] = parts.as_slice()
        else {
            return None;
        };
        let is_one = subscriptions.eq_ignore_ascii_case("subscriptions")
            && groups.eq_ignore_ascii_case("resourceGroups")
            && providers.eq_ignore_ascii_case("providers");
        is_one.then_some(Self {
            subscription,
            group,
            namespace,
            kind,
            name,
        })
    }

    /// Returns the resource type: `Microsoft.HybridCompute/machines`.
    pub(crate) fn resource_type(&self) -> String {
        format!("{}/{}", self.namespace, self.kind)
    }
}

impl FromStr for ResourceId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refusal = || ParseIdError::new(text, EXPECTED);
        let parts = ResourceIdParts::split(text.trim_end_matches('/')).ok_or_else(refusal)?;
        Ok(Self {
            subscription: parts.subscription.parse()?,
            group: parts.group.parse()?,
            kind: MachineKind::from_resource_type(&parts.resource_type()).ok_or_else(refusal)?,
            name: parts.name.parse()?,
        })
    }
}

impl TryFrom<String> for ResourceId {
    type Error = ParseIdError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ResourceId> for String {
    fn from(id: ResourceId) -> Self {
        id.to_string()
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "/subscriptions/{}/resourceGroups/{}/providers/{}/{}",
            self.subscription,
            self.group,
            self.kind.resource_type(),
            self.name
        )
    }
}

impl PartialEq for ResourceId {
    fn eq(&self, other: &Self) -> bool {
        self.to_string().eq_ignore_ascii_case(&other.to_string())
    }
}

impl Eq for ResourceId {}

impl std::hash::Hash for ResourceId {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.to_string().to_ascii_lowercase().hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WEB01: &str = "/subscriptions/0b1f6471-1bf0-4dda-aec3-cb9272f09590/resourceGroups/rg-web/providers/\
        Microsoft.HybridCompute/machines/web01";

    #[test]
    fn a_resource_id_survives_a_round_trip() {
        assert_eq!(WEB01.parse::<ResourceId>().unwrap().to_string(), WEB01);
    }

    #[test]
    fn case_makes_no_difference() {
        let id: ResourceId = WEB01.parse().unwrap();
        assert_eq!(id, WEB01.to_uppercase().parse().unwrap());
        assert_eq!(id.kind(), MachineKind::Arc);
    }

    #[test]
    fn reject_what_is_no_machine() {
        for text in [
            "web01",
            "/subscriptions/0b1f6471-1bf0-4dda-aec3-cb9272f09590",
            &WEB01.replace("machines", "things"),
            &WEB01.replace("/providers", ""),
            &WEB01.replace("0b1f6471", "x"),
            &format!("{WEB01}/extensions/x"),
            &WEB01.replace("web01", ".. ;x"),
        ] {
            assert!(text.parse::<ResourceId>().is_err(), "{text}");
        }
    }

    #[test]
    fn host_names_tell_machines_apart_and_follow_azure_in_case() {
        let name = |id: &str| id.parse::<ResourceId>().unwrap().to_host_name();
        let one = name(WEB01);
        assert_eq!(one, name(&WEB01.to_uppercase()));
        assert_eq!(one, "web01-mff3lfrowlzfl");
        for (from, to) in [
            ("rg-web", "rg-other"),
            ("0b1f6471", "1b1f6471"),
            (
                "Microsoft.HybridCompute/machines",
                "Microsoft.Compute/virtualMachines",
            ),
            ("/web01", "/web02"),
        ] {
            assert_ne!(one, name(&WEB01.replace(from, to)), "{to}");
        }
        // Those that the earlier names took for one.
        for (first, second) in [
            (("a.b", "c"), ("a", "b.c")),
            (("x", "rg(a)"), ("x", "rg_a_")),
        ] {
            let id = |(machine, group): (&str, &str)| {
                let id = WEB01
                    .replace("rg-web", group)
                    .replace("/web01", &format!("/{machine}"));
                id.parse::<ResourceId>().unwrap()
            };
            let (first, second) = (id(first), id(second));
            assert_eq!(
                first.to_earlier_host_key_alias(),
                second.to_earlier_host_key_alias()
            );
            assert_ne!(first.to_host_name(), second.to_host_name());
        }
    }

    #[test]
    fn host_names_are_short_and_of_letters_digits_and_hyphens() {
        for machine in [
            "a",
            "web01.corp.example",
            "_x_",
            "\u{e9}\u{e9}",
            &"long-".repeat(15),
        ] {
            let id = WEB01.replace("/web01", &format!("/{machine}"));
            let name = id.parse::<ResourceId>().unwrap().to_host_name();
            assert!(name.len() <= 22, "{name}");
            let is_of_host_name =
                |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            assert!(name.chars().all(is_of_host_name), "{name}");
            assert!(!name.starts_with('-') && !name.contains("--"), "{name}");
        }
    }

    #[test]
    fn base_32_is_that_of_rfc_4648() {
        assert_eq!(base32(b"foobar", 9), "mzxw6ytbo");
        assert_eq!(base32(b"", 2), "aa");
    }
}
