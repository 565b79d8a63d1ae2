//! What to do about a refusal of Azure.

use super::Failure;
use super::network;
use crate::azure::{Action, AzureError, RefusalReason};

impl From<AzureError> for Failure {
    fn from(error: AzureError) -> Self {
        if let Some(failure) = network::throttled_failure(&error) {
            return failure;
        }
        let mut failure = Self::of(&error);
        let hint = match &error {
            AzureError::Forbidden {
                action: Action::CreateEndpoint | Action::CreateServiceConfiguration,
                ..
            } => {
                "the first connection to a machine needs Owner or Contributor on it, once; after that it works for everyone"
            }
            AzureError::Forbidden {
                action: Action::LookUpAddress,
                ..
            } => {
                "ask for a role on the resource group of its network, too; or give the VM's address: --ip ADDRESS"
            }
            AzureError::Forbidden { .. } => {
                "ask for the role `Virtual Machine User Login` or `Virtual Machine Administrator Login` on the machine"
            }
            AzureError::NotFound { .. } => {
                "check name, resource group and subscription: entra-ssh config add NAME -g GROUP --subscription ID"
            }
            AzureError::Refused {
                reason: RefusalReason::ProviderNotRegistered,
                ..
            } => {
                "register the provider once (takes 2 to 5 minutes): az provider register -n Microsoft.HybridConnectivity"
            }
            AzureError::Refused {
                reason: RefusalReason::Locked,
                ..
            } => {
                "ask the owner to remove the read-only lock on the machine, its resource group or its subscription"
            }
            AzureError::Unauthorized { .. } => "sign in again: entra-ssh login",
            AzureError::WrongTenant { .. } => "sign in to that tenant: entra-ssh login --tenant ID",
            AzureError::Unreachable(_) => {
                &network::hint(&error).unwrap_or_else(|| "check the network".into())
            }
            _ => "try again in a few minutes",
        };
        if let AzureError::Forbidden { code, .. }
        | AzureError::NotFound { code, .. }
        | AzureError::Refused { code, .. } = &error
        {
            failure.code = Some(code.clone());
        }
        failure.hint(hint)
    }
}
