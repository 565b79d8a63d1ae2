//! What to do when no machine is found.

use crate::failure::{Failure, FailureKind};
use crate::inventory::InventoryError;

impl From<InventoryError> for Failure {
    fn from(error: InventoryError) -> Self {
        let failure = Self::of(&error);
        match error {
            InventoryError::Agent(failure) | InventoryError::NoAccount(failure) => failure,
            InventoryError::AddressInGroup { .. } => failure
                .kind(FailureKind::Usage)
                .hint("leave --resource-group out, or name the machine and its address: NAME --ip ADDRESS"),
            InventoryError::Ambiguous { name, machines } => {
                let hint = machines.first().map(|id| {
                    format!("name the resource group: {}/{name}, or the resource ID", id.group())
                });
                let causes = machines.iter().map(|id| format!("there is {id}").into());
                Self {
                    causes: causes.collect(),
                    ..failure.hint(hint.unwrap_or_default())
                }
            }
            InventoryError::NotFound { .. } => failure.hint(
                "check the name, and that the account may read the machine: az resource list --name NAME",
            ),
            InventoryError::SeveralAccounts { accounts, .. } => {
                let causes = accounts
                    .iter()
                    .map(|(name, account)| format!("profile {name} is {account}").into());
                Self {
                    causes: causes.collect(),
                    ..failure
                        .kind(FailureKind::Usage)
                        .hint("name one: --profile NAME")
                }
            }
            InventoryError::TwoGroups { .. } => failure
                .kind(FailureKind::Usage)
                .hint("leave --resource-group out"),
        }
    }
}
