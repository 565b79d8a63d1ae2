use std::fmt::Write as _;

use clap::Args;

use super::super::context::Context;
use super::super::login_names::LoginNames;
use super::super::several::Several;
use super::super::ui::Ui;
use super::rows;
use crate::failure::Failure;
use crate::hosts;

/// Rewrite all managed hosts, for example after entra-ssh has moved or another account has signed in
///
/// Each host gets the login name of the account that its profile is signed in as.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  entra-ssh config refresh")]
pub(in super::super) struct RefreshArgs {}

pub(in super::super) async fn run(
    ui: Ui,
    context: &Context,
    _args: RefreshArgs,
) -> Result<(), Failure> {
    let config = context.hosts().read()?;
    let mut several = Several::new(config.blocks().count());
    let mut names = LoginNames::new(ui, context);
    let mut changed = Vec::new();
    for block in config.blocks() {
        match names.changed(block).await {
            Ok(Some(user)) => changed.push((block.host.clone(), user)),
            Ok(None) => {}
            Err(failure) => several.failed(&block.host, failure),
        }
    }
    let blocks = context
        .change_hosts(|config| {
            hosts::set_login_names(config, &changed);
            config.blocks().cloned().collect::<Vec<_>>()
        })
        .await?;
    let mut text = String::new();
    for (host, user) in &changed {
        // Writing to a String does not fail.
        let _written = writeln!(text, "{host} logs in as {user} now");
    }
    let _written = writeln!(text, "wrote {} hosts", blocks.len());
    ui.result(&rows::of(blocks.iter()), &text)?;
    several.into_result("hosts", "given the login name of the certificate")
}
