use clap::Args;
use serde_json::json;

use super::context::Context;
use super::ui::Ui;
use crate::failure::Failure;
use crate::ids::ProfileName;
use crate::keyring::Kind;
use crate::session::{self, SignedOut, StoredEntry};

/// Sign out, and remove keys and certificates from the keyring and the agent
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
        match session::sign_out(&context.host, &name, context).await {
            Ok(signed_out) => done.push(Report::of(name, signed_out)),
            Err(failure) => failures.push(failure),
        }
    }
    let text: String = done.iter().map(Report::to_text).collect();
    let json: Vec<_> = done
        .iter()
        .map(|it| json!({ "profile": it.profile, "removed": it.removed, "kept": it.kept }))
        .collect();
    if !done.is_empty() || failures.is_empty() {
        ui.result(
            &json,
            if text.is_empty() {
                "not signed in\n"
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

/// What a logout did, as it is shown.
struct Report {
    profile: ProfileName,
    removed: Vec<String>,
    /// What stays, since another profile needs it.
    kept: Vec<String>,
}

impl Report {
    fn of(profile: ProfileName, signed_out: SignedOut) -> Self {
        let SignedOut::Removed {
            keyring,
            entries,
            kept,
            by_agent,
            copies,
        } = signed_out
        else {
            return Self {
                profile,
                removed: vec!["the profile, which could not be read".to_owned()],
                kept: Vec::new(),
            };
        };
        let mut removed: Vec<String> = entries
            .iter()
            .map(|entry| format!("{} from {keyring}", describe(entry)))
            .collect();
        if by_agent {
            removed.push("all of it from the agent".to_owned());
        }
        removed.extend(copies);
        removed.push("the profile".to_owned());
        let kept = kept
            .iter()
            .map(|(entry, other)| format!("{}, which the profile {other} uses", describe(entry)))
            .collect();
        Self {
            profile,
            removed,
            kept,
        }
    }

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

fn describe(entry: &StoredEntry) -> String {
    let thing = match entry.kind {
        Kind::Certificate => "the key and its certificate",
        Kind::SignIn => "the sign-in",
    };
    match &entry.guest_in {
        Some(tenant) => format!("{thing} for the tenant {tenant}"),
        None => thing.to_owned(),
    }
}
