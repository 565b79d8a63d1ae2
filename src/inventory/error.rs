use crate::failure::Failure;
use crate::ids::{Account, Address, MachineName, ProfileName, ResourceGroup, ResourceId, TenantId};

/// Why no machine was found, or no account for it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InventoryError {
    /// The user named a resource group for an address.
    #[error("`{address}` is an address, and a resource group belongs to a name")]
    AddressInGroup { address: Address },
    /// The agent's answer, unchanged.
    #[error("{0}")]
    Agent(Failure),
    /// Several machines have the name.
    #[error("there are {} machines named `{name}`", machines.len())]
    Ambiguous {
        name: MachineName,
        machines: Vec<ResourceId>,
    },
    /// No account can be used. The account that the user named, or the default one, says why.
    #[error("{0}")]
    NoAccount(Failure),
    /// The account sees no machine of the name.
    #[error("`{account}` sees no machine `{name}`{}", place(group.as_ref()))]
    NotFound {
        account: Account,
        name: MachineName,
        group: Option<ResourceGroup>,
    },
    /// Several accounts are signed in to the machine's tenant.
    #[error("{} accounts are signed in to the tenant `{tenant}` of `{machine}`", accounts.len())]
    SeveralAccounts {
        accounts: Vec<(ProfileName, Account)>,
        machine: MachineName,
        tenant: TenantId,
    },
    /// The user named two resource groups.
    #[error("two resource groups are named: `{one}` and `{other}`")]
    TwoGroups {
        one: ResourceGroup,
        other: ResourceGroup,
    },
}

fn place(group: Option<&ResourceGroup>) -> String {
    group.map_or(String::new(), |group| {
        format!(" in the resource group `{group}`")
    })
}
