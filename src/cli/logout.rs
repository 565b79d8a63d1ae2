use clap::Args;
use serde_json::json;

use super::context::Context;
use super::ui::Ui;
use crate::failure::Failure;
use crate::identity;
use crate::ids::ProfileName;
use crate::keyring::{Keyring, Kind};
use crate::session::{Others, Profile, ProfileLock, SharedEntriesLock};

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
    let mut done = Vec::new();
    let mut failures = Vec::new();
    for name in names {
        match sign_out(context, &name).await {
            Ok(signed_out) => done.push(signed_out),
            Err(failure) => failures.push(failure),
        }
    }
    let text: String = done.iter().map(SignedOut::to_text).collect();
    let json: Vec<_> = done
        .iter()
        .map(|it| json!({ "profile": it.profile, "removed": it.removed, "kept": it.kept }))
        .collect();
    if !done.is_empty() || failures.is_empty() {
        ui.result(
            &json,
            if text.is_empty() {
                "nobody was signed in\n"
            } else {
                &text
            },
        )?;
    }
    match failures.into_iter().next() {
        Some(failure) => Err(failure),
        None => Ok(()),
    }
}

/// What a logout did.
struct SignedOut {
    profile: ProfileName,
    removed: Vec<String>,
    /// What stays, since another profile needs it.
    kept: Vec<String>,
}

impl SignedOut {
    fn to_text(&self) -> String {
        let removed = self.removed.join(", ");
        let mut text = format!(
            "signed out of the profile {}: removed {removed}",
            self.profile
        );
        if !self.kept.is_empty() {
            text.push_str("; kept ");
            text.push_str(&self.kept.join(", "));
        }
        text.push('\n');
        text
    }
}

async fn sign_out(context: &Context, name: &ProfileName) -> Result<SignedOut, Failure> {
    let profile = match context.profiles().load(name) {
        // What cannot be read names nothing that could be removed from a keyring.
        Err(_) if context.profiles().names()?.contains(name) => {
            context.profiles().remove(name)?;
            return Ok(SignedOut {
                profile: name.clone(),
                removed: vec!["the profile, which could not be read".to_owned()],
                kept: Vec::new(),
            });
        }
        loaded => loaded?,
    };
    let keyring = Keyring::open(profile.keyring, &context.host).await?;
    // The agent first, and under the lock of renewals: what is under way would write back what is removed here.
    let is_forgotten = context.agent.forget(name).await?;
    let locks = context.host.paths.locks();
    let lock = ProfileLock::take(&locks, &profile.name).await?;
    let _sharing = SharedEntriesLock::take(&locks, &lock).await?;
    // What was certified elsewhere meanwhile was noted in the profile, under the same lock.
    let profile = context.profiles().load(name)?;
    let others = context.profiles().others(name)?;
    let (mut removed, kept) = remove_entries(&profile, &keyring, &others).await?;
    if is_forgotten {
        removed.push("all of it from the agent".to_owned());
    }
    for elsewhere in identity::forget(&context.host, &profile, &others).await? {
        removed.push(elsewhere.to_string());
    }
    context.profiles().remove(name)?;
    removed.push("the profile".to_owned());
    Ok(SignedOut {
        profile: name.clone(),
        removed,
        kept,
    })
}

/// Removes what the keyring holds of a profile and no other profile needs. Returns what was removed, and what was kept.
async fn remove_entries(
    profile: &Profile,
    keyring: &Keyring,
    others: &Others,
) -> Result<(Vec<String>, Vec<String>), Failure> {
    let (mut removed, mut kept) = (Vec::new(), Vec::new());
    for tenant in profile.tenants() {
        for (kind, thing) in [
            (Kind::SignIn, "the sign-in"),
            (Kind::Certificate, "the key and its certificate"),
        ] {
            let whose = if *tenant == profile.tenant {
                String::new()
            } else {
                format!(" for the tenant {tenant}")
            };
            let entry = profile.entry_in(kind, tenant);
            match others.needing(keyring.backend(), &entry) {
                Some(other) if keyring.load(&entry).await?.is_some() => {
                    kept.push(format!("{thing}{whose}, which the profile {other} uses"));
                }
                None if keyring.remove(&entry).await? => {
                    removed.push(format!("{thing}{whose} from {}", keyring.backend()));
                }
                _ => {}
            }
        }
    }
    Ok((removed, kept))
}
