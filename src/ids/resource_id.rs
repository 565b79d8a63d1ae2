use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{MachineName, ParseIdError, ResourceGroup, SubscriptionId};

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

    /// Tells whether a connection goes through the relay; an Azure VM is reached by its address.
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

    /// Returns a name for `known_hosts` that belongs to this machine alone, whatever address or alias it is reached by.
    ///
    /// ```text
    /// web01.rg-web.0b1f6471-1bf0-4dda-aec3-cb9272f09590.hybridcompute.azure
    /// ```
    #[must_use]
    pub fn to_host_key_alias(&self) -> String {
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
    fn host_key_alias_tells_machines_of_one_name_apart() {
        let one: ResourceId = WEB01.parse().unwrap();
        let other: ResourceId = WEB01.replace("rg-web", "RG-Other").parse().unwrap();
        assert_eq!(
            one.to_host_key_alias(),
            "web01.rg-web.0b1f6471-1bf0-4dda-aec3-cb9272f09590.hybridcompute.azure"
        );
        assert_ne!(one.to_host_key_alias(), other.to_host_key_alias());
    }
}
