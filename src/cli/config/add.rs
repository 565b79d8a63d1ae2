use std::fmt::Write as _;

use clap::Args;
use serde_json::Value;

use super::super::context::Context;
use super::super::host_options::{self, HostOptions};
use super::super::login_names::LoginNames;
use super::super::several::Several;
use super::super::ui::Ui;
use super::rows;
use crate::failure::{Failure, FailureKind};
use crate::hosts::{self, Change, Rival};
use crate::ids::{HostAlias, ParseIdError, ResourceGroup};
use crate::inventory::Target;
use crate::ssh_config::{Block, ManagedConfig};

/// Add machines to your ssh config, so that plain `ssh NAME` reaches them
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  entra-ssh config add web01\n  entra-ssh config add rg-web/web01 --alias web\n  \
    entra-ssh config add vm01 --prefer-private-ip"
)]
pub(in super::super) struct AddArgs {
    /// Machines to add: NAME, GROUP/NAME, resource ID, or address
    #[arg(required_unless_present = "ip")]
    targets: Vec<Target>,
    /// Resource group of the machines
    #[arg(short = 'g', long)]
    resource_group: Option<ResourceGroup>,
    /// Host alias [default: the machine's name]
    #[arg(long)]
    alias: Option<String>,
    /// Replace a host whose alias leads to another machine
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    options: HostOptions,
}

pub(in super::super) async fn run(ui: Ui, context: &Context, args: AddArgs) -> Result<(), Failure> {
    check_that_one_is_one(&args)?;
    let alias = args.alias.as_deref().map(parse_alias).transpose()?;
    let address = args
        .options
        .route
        .target()
        .filter(|_| args.targets.is_empty());
    let targets: Vec<&Target> = args.targets.iter().chain(&address).collect();
    let mut several = Several::new(targets.len());
    let mut names = LoginNames::new(ui, context);
    let mut blocks = Vec::new();
    for target in targets {
        let found = if let Some(failure) = several.hopeless() {
            Err(failure)
        } else {
            let group = args.resource_group.as_ref();
            host_options::block(&mut names, target, group, &args.options).await
        };
        match found {
            Ok(block) => blocks.push(match &alias {
                Some(alias) => Block {
                    host: alias.clone(),
                    ..block
                },
                None => block,
            }),
            Err(failure) => several.failed(target, failure),
        }
    }
    context.warn(ui);
    let changes = if blocks.is_empty() {
        Vec::new()
    } else {
        let put = |config: &mut _| put(config, &blocks, args.replace, &mut several);
        context.change_hosts(put).await?
    };
    let machines = blocks.iter().filter_map(|block| block.resource_id.as_ref());
    context.hosts().keep_host_keys(machines);
    let new = |(block, change): &(Block, Change)| {
        (*change != Change::Unchanged).then_some(block.host.clone())
    };
    warn_of_rivals(
        ui,
        context,
        &changes.iter().filter_map(new).collect::<Vec<_>>(),
    );
    if !changes.is_empty() {
        let (json, text) = tell(&changes);
        ui.result(&json, &text)?;
    }
    several.into_result("machines", "added")
}

fn check_that_one_is_one(args: &AddArgs) -> Result<(), Failure> {
    for (is_given, what, option) in [
        (args.alias.is_some(), "alias", "--alias"),
        (args.options.route.target().is_some(), "address", "--ip"),
    ] {
        if is_given && args.targets.len() > 1 {
            return Err(
                Failure::new(format!("several machines cannot have one {what}"))
                    .kind(FailureKind::Usage)
                    .hint(format!("add them one by one, each with its {option}")),
            );
        }
    }
    Ok(())
}

fn parse_alias(text: &str) -> Result<HostAlias, Failure> {
    text.parse().map_err(|error: ParseIdError| {
        let failure = Failure::from(error);
        match HostAlias::closest_to(text) {
            Some(other) => failure.hint(format!("choose one that ssh accepts: --alias {other}")),
            None => failure,
        }
    })
}

/// Puts hosts into the file. Of two machines with one alias, the second is refused even if hosts may be replaced.
fn put(
    config: &mut ManagedConfig,
    blocks: &[Block],
    replace: bool,
    several: &mut Several,
) -> Vec<(Block, Change)> {
    let mut changes: Vec<(Block, Change)> = Vec::new();
    for block in blocks {
        let is_new = changes.iter().any(|(other, _)| other.host == block.host);
        match hosts::put(config, block, replace && !is_new) {
            Ok(change) => changes.push((block.clone(), change)),
            Err(error) => several.failed(&hosts::machine_name(block), error.into()),
        }
    }
    changes
}

/// Returns what adding hosts has changed, as JSON and as text.
fn tell(changes: &[(Block, Change)]) -> (Vec<Value>, String) {
    let mut rows = rows::of(changes.iter().map(|(block, _)| block));
    let mut text = String::new();
    for (row, (block, change)) in rows.iter_mut().zip(changes) {
        if let Some(row) = row.as_object_mut() {
            row.insert("change".to_owned(), change.word().into());
            row.insert("changed".to_owned(), change.fields().into());
        }
        let (what, host) = (hosts::destination(block), &block.host);
        // Writing to a String does not fail.
        let _written = writeln!(
            text,
            "{} {what}: connect with `ssh {host}`",
            text_of(change)
        );
    }
    (rows, text)
}

/// Returns the text for a change: `changed (user, port)`.
fn text_of(change: &Change) -> String {
    match change {
        Change::Changed(fields) => {
            format!("changed ({})", fields.join(", ").replace('_', " "))
        }
        other => other.word().to_owned(),
    }
}

/// Warns of lines in the user's own config that name these hosts: one of the two blocks takes no effect where both set a value.
fn warn_of_rivals(ui: Ui, context: &Context, hosts: &[HostAlias]) {
    for Rival {
        host,
        file,
        line,
        is_first,
    } in context.hosts().rivals(hosts)
    {
        let place = format!("{}, line {line}", file.display());
        ui.say(&if is_first {
            format!(
                "warning: {place} names `{host}` too, before the managed hosts, and takes precedence: remove it there, or \
                 choose another alias (--alias)"
            )
        } else {
            format!(
                "warning: {place} names `{host}` too, and the managed host takes precedence: remove it there, or choose \
                 another alias (--alias)"
            )
        });
    }
}
