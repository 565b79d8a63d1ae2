use super::accounts::Accounts;
use super::error::InventoryError;
use super::target::Target;
use crate::ids::{MachineName, ProfileName, ResourceGroup, ResourceId, TenantId};
use crate::session::Profile;

/// A machine, and the account to connect with.
#[derive(Debug)]
pub(crate) struct Found {
    /// The machine; absent if only its address is known.
    pub(crate) machine: Option<ResourceId>,
    pub(crate) profile: ProfileName,
    /// The tenant of the machine's subscription, if the cloud knows it.
    pub(crate) tenant: Option<TenantId>,
}

/// Finds the machine that a target names, as the first account that sees it, and chooses the account for it: one that is signed
/// in to the tenant of the machine's subscription.
///
/// # Errors
/// The error of the first account that could search; the errors of later accounts are dropped.
pub(crate) async fn find(
    accounts: &impl Accounts,
    target: &Target,
    group: Option<&ResourceGroup>,
) -> Result<Found, InventoryError> {
    let look = async |profile: &Profile| {
        let look_up = async |name: &MachineName, group: Option<&ResourceGroup>| {
            let machines = accounts.machines(profile, name, group).await;
            machines.map_err(InventoryError::Agent)
        };
        target.find(&profile.account, group, look_up).await
    };
    // Usually the first account sees the machine, and no other profile is loaded.
    let mut others = accounts.others().into_iter();
    let mut tried = Vec::new();
    let mut refusal = match accounts.first().await {
        Err(failure) => InventoryError::NoAccount(failure),
        Ok(profile) => match look(&profile).await {
            Ok(machine) => return settle(accounts, machine, profile, tried, others).await,
            Err(error) => {
                tried.push(profile);
                error
            }
        },
    };
    while let Some(name) = others.next() {
        let Some(profile) = accounts.load(&name) else {
            continue;
        };
        match look(&profile).await {
            Ok(machine) => return settle(accounts, machine, profile, tried, others).await,
            Err(error) => {
                if matches!(refusal, InventoryError::NoAccount(_)) {
                    refusal = error;
                }
                tried.push(profile);
            }
        }
    }
    Err(refusal)
}

/// Chooses the account for a machine that one of them sees.
async fn settle(
    accounts: &impl Accounts,
    machine: Option<ResourceId>,
    seen_by: Profile,
    tried: Vec<Profile>,
    untried: impl Iterator<Item = ProfileName>,
) -> Result<Found, InventoryError> {
    let Some(machine) = machine else {
        return Ok(Found {
            machine: None,
            profile: seen_by.name,
            tenant: None,
        });
    };
    let tenant = accounts
        .tenant_of(&seen_by, machine.subscription())
        .await
        .map_err(InventoryError::Agent)?;
    let profile = match &tenant {
        Some(tenant) if !seen_by.tenant.is_same(tenant) => {
            let untried = untried.filter_map(|name| accounts.load(&name));
            let others: Vec<Profile> = tried.into_iter().chain(untried).collect();
            choose(&seen_by, &others, tenant, &machine)?.name.clone()
        }
        _ => seen_by.name,
    };
    Ok(Found {
        machine: Some(machine),
        profile,
        tenant,
    })
}

/// Chooses the account for a machine in a tenant that the account that sees it did not sign in to: the only one that did. If none
/// did, the account that sees the machine is used as a guest.
fn choose<'a>(
    seen_by: &'a Profile,
    others: &'a [Profile],
    tenant: &TenantId,
    machine: &ResourceId,
) -> Result<&'a Profile, InventoryError> {
    let is_candidate =
        |other: &&Profile| other.cloud == seen_by.cloud && other.tenant.is_same(tenant);
    let candidates: Vec<&Profile> = others.iter().filter(is_candidate).collect();
    match candidates.as_slice() {
        [] => Ok(seen_by),
        [one] => Ok(one),
        several => Err(InventoryError::SeveralAccounts {
            accounts: several
                .iter()
                .map(|one| (one.name.clone(), one.account.clone()))
                .collect(),
            machine: machine.name().clone(),
            tenant: tenant.clone(),
        }),
    }
}

#[cfg(test)]
mod tests;
