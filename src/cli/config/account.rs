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
    let (mut opened, not_signed_in) = match context.sign_in().await {
        Ok(sign_in) => (vec![sign_in], None),
        Err(failure) => (Vec::new(), Some(failure)),
    };
    // Most often the first account is the one, and no other keyring is looked into.
    let mut others = other_accounts(context).into_iter();
    let (mut tried, mut failure) = (0, None);
    let (sign_in, machine) = loop {
        let Some(sign_in) = opened.get(tried) else {
            let Some(name) = others.next() else {
                let failure = failure.or(not_signed_in);
                return Err(failure.unwrap_or_else(|| Failure::new("nobody is signed in")));
            };
            opened.extend(open(context, &name).await);
            continue;
        };
        let look = async || target::find(sign_in, target, group, &context.subscriptions).await;
        match context.answering(ui, &sign_in.profile.name, look).await {
            Ok(machine) => break (sign_in, machine),
            // What the first account is told counts; the others are a second chance.
            Err(told) => failure = failure.or(Some(told)),
        }
        tried += 1;
    };
    let Some(machine) = machine else {
        return Ok(Found {
            machine: None,
            profile: sign_in.profile.name.clone(),
            tenant: None,
        });
    };
    let tenant = sign_in.tenant_of(machine.subscription()).await?;
    let profile = match &tenant {
        Some(tenant) if context.profile.is_none() && !is_of(sign_in, tenant) => {
            let mut rest = Vec::new();
            for name in others {
                rest.extend(open(context, &name).await);
            }
            let all: Vec<&SignIn> = opened.iter().chain(&rest).collect();
            choose(sign_in, &all, tenant, &machine)?
                .profile
                .name
                .clone()
        }
        _ => sign_in.profile.name.clone(),
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

/// Opens an account. One that cannot be opened reaches nothing; whoever names it is told why.
async fn open(context: &Context, name: &ProfileName) -> Option<SignIn> {
    let profile = context.profiles().load(name).ok()?;
    SignIn::open(&context.host, profile).await.ok()
}

fn is_of(sign_in: &SignIn, tenant: &TenantId) -> bool {
    sign_in.profile.tenant.is_same(tenant)
}

/// Chooses the account for a machine of a tenant that the one that sees it did not sign in to: the only one that did. If none
/// did, the one that sees it is tried as a guest.
fn choose<'a>(
    seen_by: &'a SignIn,
    all: &[&'a SignIn],
    tenant: &TenantId,
    machine: &ResourceId,
) -> Result<&'a SignIn, Failure> {
    let of_it: Vec<&SignIn> = all
        .iter()
        .copied()
        .filter(|one| one.profile.cloud == seen_by.profile.cloud && is_of(one, tenant))
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
                .map(|one| {
                    format!("profile {} is {}", one.profile.name, one.profile.account).into()
                })
                .collect();
            Err(failure)
        }
    }
}
