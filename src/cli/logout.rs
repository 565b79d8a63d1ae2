use clap::Args;
use serde_json::json;

use super::context::Context;
use super::rotate;
use super::ui::Ui;
use crate::agent::ask::Question;
use crate::agent::client;
use crate::failure::Failure;
use crate::ids::ProfileName;
use crate::issue;
use crate::keyring::{Keyring, Kind};
use crate::profile::Profile;

/// Remove what login and renewal put into the keyring and the agent
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  entra-ssh logout\n  entra-ssh logout --all")]
pub(super) struct LogoutArgs {
    /// Sign out of every profile
    #[arg(long)]
    all: bool,
}

pub(super) async fn run(ui: Ui, context: &Context, args: LogoutArgs) -> Result<(), Failure> {
    let names = if args.all {
        context.profiles().names()?
    } else {
        vec![context.profile_name()]
    };
    let mut removed = Vec::new();
    let mut failures = Vec::new();
    for name in names {
        match sign_out(context, &name).await {
            Ok(done) => removed.push(done),
            Err(failure) => failures.push(failure),
        }
    }
    let text = removed
        .iter()
        .map(|(name, things)| {
            format!(
                "signed out of the profile {name}: removed {}\n",
                things.join(", ")
            )
        })
        .collect::<Vec<_>>()
        .concat();
    let json: Vec<_> = removed
        .iter()
        .map(|(name, things)| json!({ "profile": name, "removed": things }))
        .collect();
    if !removed.is_empty() || failures.is_empty() {
        ui.result(
            &json,
            if text.is_empty() {
                "nobody was signed in\n"
            } else {
                &text
            },
        );
    }
    match failures.into_iter().next() {
        Some(failure) => Err(failure),
        None => Ok(()),
    }
}

async fn sign_out(
    context: &Context,
    name: &ProfileName,
) -> Result<(ProfileName, Vec<String>), Failure> {
    let profile = match context.profiles().load(name) {
        // What cannot be read names nothing that could be removed from a keyring.
        Err(_) if context.profiles().names()?.contains(name) => {
            context.profiles().remove(name)?;
            return Ok((
                name.clone(),
                vec!["the profile, which could not be read".to_owned()],
            ));
        }
        loaded => loaded?,
    };
    let keyring = Keyring::open(profile.keyring, &context.host.paths).await?;
    let mut removed = Vec::new();
    // The agent first, and under the lock of renewals: what is under way would write back what is removed here.
    let question = Question::Forget {
        profile: name.clone(),
    };
    let forgotten = client::ask_if_running(&context.agent_socket, &question).await?;
    let _lock = issue::lock(&context.host.paths.locks(), &profile).await?;
    let is_shared = others(context, name)?
        .iter()
        .any(|other| other.entry(Kind::SignIn) == profile.entry(Kind::SignIn));
    // What was certified elsewhere meanwhile was noted in the profile, under the same lock.
    let profile = context.profiles().load(name)?;
    for tenant in profile.tenants().filter(|_| !is_shared) {
        for (kind, thing) in [
            (Kind::SignIn, "the sign-in"),
            (Kind::Certificate, "the key and its certificate"),
        ] {
            if keyring.remove(&profile.entry_in(kind, tenant)).await? {
                let whose = if *tenant == profile.tenant {
                    String::new()
                } else {
                    format!(" for the tenant {tenant}")
                };
                removed.push(format!("{thing}{whose} from {}", keyring.backend()));
            }
        }
    }
    if forgotten.is_some() {
        removed.push("all of it from the agent".to_owned());
    }
    removed.extend(rotate::forget(context, &profile).await?);
    context.profiles().remove(name)?;
    removed.push("the profile".to_owned());
    Ok((name.clone(), removed))
}

/// Returns the other profiles that can be read; one of them may be of the same account.
fn others(context: &Context, name: &ProfileName) -> Result<Vec<Profile>, Failure> {
    let names = context.profiles().names()?;
    Ok(names
        .iter()
        .filter(|other| *other != name)
        .filter_map(|other| context.profiles().load(other).ok())
        .collect())
}
