//! From what people type to a machine, and to the account that it is reached with: one of the tenant of the machine's
//! subscription, whoever signed in last and wherever.

use super::super::context::Context;
use super::super::ui::Ui;
use crate::failure::{Failure, FailureKind};
use crate::ids::{ProfileName, ResourceGroup, ResourceId, TenantId};
use crate::sign_in::SignIn;
use crate::target::{self, Target};

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
    let first = context.sign_in().await;
    let others = match &context.profile {
        Some(_) => Vec::new(),
        None => other_accounts(context).await,
    };
    let first = match first {
        Err(failure) if others.is_empty() => return Err(failure),
        first => first.ok(),
    };
    let (mut seen_by, mut failure) = (None, None);
    for sign_in in first.iter().chain(&others) {
        let look = async || target::find(sign_in, target, group, &context.subscriptions).await;
        match context.answering(ui, &sign_in.profile.name, look).await {
            Ok(machine) => {
                seen_by = Some((sign_in, machine));
                break;
            }
            // What the first account is told counts; the others are a second chance.
            Err(told) => failure = failure.or(Some(told)),
        }
    }
    let Some((sign_in, machine)) = seen_by else {
        return Err(failure.unwrap_or_else(|| Failure::new("nobody is signed in")));
    };
    let Some(machine) = machine else {
        return Ok(Found {
            machine: None,
            profile: sign_in.profile.name.clone(),
            tenant: None,
        });
    };
    let tenant = sign_in.tenant_of(machine.subscription()).await?;
    let all: Vec<&SignIn> = first.iter().chain(&others).collect();
    let chosen = match &tenant {
        Some(tenant) if context.profile.is_none() => choose(sign_in, &all, tenant, &machine)?,
        _ => sign_in,
    };
    Ok(Found {
        machine: Some(machine),
        profile: chosen.profile.name.clone(),
        tenant,
    })
}

/// Opens the accounts that are signed in besides the one that is meant if none is named.
async fn other_accounts(context: &Context) -> Vec<SignIn> {
    let mut opened = Vec::new();
    for name in context.profiles().names().unwrap_or_default() {
        if name == ProfileName::default() {
            continue;
        }
        // One that cannot be opened reaches nothing; whoever names it is told why.
        if let Ok(profile) = context.profiles().load(&name)
            && let Ok(sign_in) = SignIn::open(&context.host, profile).await
        {
            opened.push(sign_in);
        }
    }
    opened
}

/// Chooses the account for a machine of a tenant: the one that sees it if it signed in there, or else the only one that did.
/// If none did, the one that sees it is tried as a guest.
fn choose<'a>(
    seen_by: &'a SignIn,
    all: &[&'a SignIn],
    tenant: &TenantId,
    machine: &ResourceId,
) -> Result<&'a SignIn, Failure> {
    let is_of_it = |sign_in: &SignIn| sign_in.profile.tenant.is_same(tenant);
    if is_of_it(seen_by) {
        return Ok(seen_by);
    }
    let of_it: Vec<&SignIn> = all
        .iter()
        .copied()
        .filter(|one| one.profile.cloud == seen_by.profile.cloud && is_of_it(one))
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
                .map(|one| format!("profile {} is {}", one.profile.name, one.profile.account))
                .collect();
            Err(failure)
        }
    }
}
