//! From what people type to a machine, and to the account that it is reached with: one of the tenant of the machine's
//! subscription, whoever signed in last and wherever.

use super::super::context::Context;
use super::super::ui::Ui;
use crate::agent::ask::MachinesQuestion;
use crate::failure::{Failure, FailureKind};
use crate::ids::{MachineName, ProfileName, ResourceGroup, ResourceId, SubscriptionId, TenantId};
use crate::inventory::target::{self, Target};
use crate::session::Profile;

/// A machine and who reaches it.
#[derive(Debug)]
pub(in super::super) struct Found {
    /// The machine; none if only its address is known.
    pub(in super::super) machine: Option<ResourceId>,
    /// The account.
    pub(in super::super) profile: ProfileName,
    /// The tenant of the machine's subscription, if the cloud says so.
    pub(in super::super) tenant: Option<TenantId>,
}

/// Finds the machine that a target names: as the account that was named sees it, or else the one that is meant if none is,
/// or else any other that is signed in.
pub(in super::super) async fn find(
    ui: Ui,
    context: &Context,
    target: &Target,
    group: Option<&ResourceGroup>,
) -> Result<Found, Failure> {
    let (mut opened, not_signed_in) = match context.load_profile().await {
        Ok(profile) => (vec![profile], None),
        Err(failure) => (Vec::new(), Some(failure)),
    };
    // Most often the first account is the one, and no other is looked at.
    let mut others = other_accounts(context).into_iter();
    let (mut tried, mut failure) = (0, None);
    let (profile, machine) = loop {
        let Some(profile) = opened.get(tried) else {
            let Some(name) = others.next() else {
                let failure = failure.or(not_signed_in);
                return Err(failure.unwrap_or_else(|| Failure::new("nobody is signed in")));
            };
            opened.extend(context.profiles().load(&name));
            continue;
        };
        let look = async || {
            let look_up = async |name: &MachineName, group: Option<&ResourceGroup>| {
                machines(context, &profile.name, name, group).await
            };
            target::find(&profile.account, target, group, look_up).await
        };
        match context.answering(ui, &profile.name, look).await {
            Ok(machine) => break (profile, machine),
            // What the first account is told counts; the others are a second chance.
            Err(told) => failure = failure.or(Some(told)),
        }
        tried += 1;
    };
    let Some(machine) = machine else {
        return Ok(Found {
            machine: None,
            profile: profile.name.clone(),
            tenant: None,
        });
    };
    let tenant = tenant_of(context, profile, machine.subscription()).await?;
    let profile = match &tenant {
        Some(tenant) if context.profile.is_none() && !is_of(profile, tenant) => {
            let rest: Vec<Profile> = others
                .filter_map(|name| context.profiles().load(&name).ok())
                .collect();
            let all: Vec<&Profile> = opened.iter().chain(&rest).collect();
            choose(profile, &all, tenant, &machine)?.name.clone()
        }
        _ => profile.name.clone(),
    };
    Ok(Found {
        machine: Some(machine),
        profile,
        tenant,
    })
}

/// Returns the accounts that may be signed in besides the one that is meant if none is named.
fn other_accounts(context: &Context) -> Vec<ProfileName> {
    if context.profile.is_some() {
        return Vec::new();
    }
    let mut names = context.profiles().names().unwrap_or_default();
    names.retain(|name| *name != ProfileName::default());
    names
}

/// Has the agent look up the machines of a name: it has a token for that, most often.
async fn machines(
    context: &Context,
    profile: &ProfileName,
    name: &MachineName,
    group: Option<&ResourceGroup>,
) -> Result<Vec<ResourceId>, Failure> {
    let question = MachinesQuestion {
        profile: profile.clone(),
        name: name.clone(),
        group: group.cloned(),
        subscriptions: context.subscriptions.clone(),
    };
    context.agent_for(profile).await?.machines(question).await
}

/// Returns the tenant of a subscription, if the cloud says so.
async fn tenant_of(
    context: &Context,
    profile: &Profile,
    subscription: &SubscriptionId,
) -> Result<Option<TenantId>, Failure> {
    let agent = context.agent_for(&profile.name).await?;
    agent.tenant_of(&profile.cloud, subscription).await
}

fn is_of(profile: &Profile, tenant: &TenantId) -> bool {
    profile.tenant.is_same(tenant)
}

/// Chooses the account for a machine of a tenant that the one that sees it did not sign in to: the only one that did. If none
/// did, the one that sees it is tried as a guest.
fn choose<'a>(
    seen_by: &'a Profile,
    all: &[&'a Profile],
    tenant: &TenantId,
    machine: &ResourceId,
) -> Result<&'a Profile, Failure> {
    let of_it: Vec<&Profile> = all
        .iter()
        .copied()
        .filter(|one| one.cloud == seen_by.cloud && is_of(one, tenant))
        .collect();
    match of_it.as_slice() {
        [] => Ok(seen_by),
        [one] => Ok(one),
        several => {
            let mut failure = Failure::new(format!(
                "{} accounts are signed in to the tenant `{tenant}` of `{}`",
                several.len(),
                machine.name()
            ))
            .kind(FailureKind::Usage)
            .hint("name one: --profile NAME");
            failure.causes = several
                .iter()
                .map(|one| format!("profile {} is {}", one.name, one.account).into())
                .collect();
            Err(failure)
        }
    }
}
