use clap::Args;
use serde_json::json;

use super::context::Context;
use super::ui::Ui;
use crate::agent::ask::Question;
use crate::agent::client;
use crate::failure::Failure;
use crate::ids::ProfileName;
use crate::keyring::{Choice, Keyring, Kind};

/// Remove what login and renewal put into the keyring and the agent
#[derive(Args, Debug)]
pub(super) struct LogoutArgs {
    /// Sign out of every profile
    #[arg(long)]
    all: bool,
}

pub(super) async fn run(ui: Ui, context: &Context, args: LogoutArgs) -> Result<(), Failure> {
    let names = if args.all {
        context.profiles().names()?
    } else {
        vec![context.profile.clone()]
    };
    let mut removed = Vec::new();
    for name in names {
        removed.push(sign_out(context, &name).await?);
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
    ui.result(
        &json,
        if text.is_empty() {
            "nobody was signed in\n"
        } else {
            &text
        },
    );
    Ok(())
}

async fn sign_out(
    context: &Context,
    name: &ProfileName,
) -> Result<(ProfileName, Vec<String>), Failure> {
    let profile = context.profiles().load(name)?;
    let keyring = Keyring::open(Choice::Named(profile.keyring), &context.host.paths).await?;
    let mut removed = Vec::new();
    for (kind, thing) in [
        (Kind::SignIn, "the sign-in"),
        (Kind::Certificate, "the key and its certificate"),
    ] {
        if keyring.remove(&profile.entry(kind)).await? {
            removed.push(format!("{thing} from {}", keyring.backend()));
        }
    }
    let question = Question::Forget {
        profile: name.clone(),
    };
    if client::ask_if_running(&context.agent_socket, &question)
        .await?
        .is_some()
    {
        removed.push("all of it from the agent".to_owned());
    }
    context.profiles().remove(name)?;
    removed.push("the profile".to_owned());
    Ok((name.clone(), removed))
}
