use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use super::context::Context;
use super::identity::{self, KeptIn};
use super::path_arg::{self, absolute};
use super::ui::Ui;
use super::wrong_login_name;
use crate::agent::ask::{RenewedAnswer, Tenancy};
use crate::certificate::RenewWhen;
use crate::failure::{Failure, FailureKind};
use crate::ids::{Principal, ProfileName, TenantId};
use crate::time::Spoken;

/// Renew certificates about to expire; for timers and `Match exec`
///
/// It never prompts. Exit status: 0 up to date or renewed, 1 renewal failed, 4 sign-in required.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  entra-ssh rotate\n  entra-ssh rotate --all --within 30m --quiet\n  entra-ssh rotate --new-key"
)]
pub(super) struct RotateArgs {
    /// Renew a certificate that expires within this time: 90s, 10m, 1h [default: 10 minutes, or the last third of its life if
    /// that is shorter]
    #[arg(long, value_name = "TIME", value_parser = parse_time, conflicts_with_all = ["force", "new_key"])]
    within: Option<Duration>,
    /// Renew the certificates of all profiles
    #[arg(long)]
    all: bool,
    /// Renew certificates even if they are not due
    #[arg(long)]
    force: bool,
    /// Replace the key: the same as --force, since every certificate has its own key
    #[arg(long)]
    new_key: bool,
    /// Renew only the certificate of this tenant
    #[arg(long, value_name = "ID", conflicts_with = "all")]
    tenant: Option<TenantId>,
    /// Also keep key and certificate in files or in your own agent
    #[arg(long, value_enum, value_name = "WHERE")]
    identity: Option<KeptIn>,
    /// Warn if the certificate is for another login name than this one, which ssh uses
    #[arg(
        long,
        value_name = "NAME",
        allow_hyphen_values = true,
        conflicts_with = "all"
    )]
    login_name: Option<Principal>,
    /// Renew the certificate that managed hosts use for this key of yours
    #[arg(long, value_name = "FILE", conflicts_with_all = ["all", "identity", "new_key"], value_parser = path_arg::parser())]
    public_key_file: Option<PathBuf>,
}

pub(super) async fn run(ui: Ui, context: &Context, args: RotateArgs) -> Result<(), Failure> {
    let names = if args.all {
        context.profiles().names()?
    } else {
        vec![context.load_profile().await?.name]
    };
    let mut rows = Vec::new();
    let mut failures = Vec::new();
    for name in names {
        let tenancies = match &args.tenant {
            Some(tenant) => vec![Tenancy::Tenant(tenant.clone())],
            None if args.public_key_file.is_some() => vec![Tenancy::Home],
            None => tenancies(context, &name),
        };
        for tenancy in tenancies {
            match rotate(context, &name, tenancy, &args).await {
                Ok(renewed) => rows.push((name.clone(), renewed)),
                Err(failure) => failures.push((name.clone(), failure)),
            }
        }
    }
    let json: Vec<Value> = rows.iter().map(to_json).collect();
    let text = if ui.is_quiet() {
        String::new()
    } else {
        rows.iter().map(to_text).collect()
    };
    ui.result(&json, &text)?;
    worst(failures).map_or(Ok(()), Err)
}

/// Returns the tenants that a profile has certificates of.
fn tenancies(context: &Context, name: &ProfileName) -> Vec<Tenancy> {
    // For a profile that cannot be read, the agent answers why.
    let guest_in = context
        .profiles()
        .load(name)
        .map_or_else(|_| Vec::new(), |profile| profile.guest_in);
    let mut tenancies = vec![Tenancy::Home];
    tenancies.extend(guest_in.into_iter().map(Tenancy::Tenant));
    tenancies
}

async fn rotate(
    context: &Context,
    profile: &ProfileName,
    tenancy: Tenancy,
    args: &RotateArgs,
) -> Result<RenewedAnswer, Failure> {
    let when = match args.within {
        _ if args.force || args.new_key => RenewWhen::Now,
        Some(time) => RenewWhen::WithinSeconds(time.as_secs()),
        None => RenewWhen::Due,
    };
    if let Some(file) = &args.public_key_file {
        let (file, tenant) = (absolute(file)?, args.tenant.as_ref());
        let (certificate, is_new) =
            identity::certificate_of_own_key(context, profile, tenant, &file, when).await?;
        wrong_login_name::warn(context, args.login_name.as_ref(), certificate.login_name());
        let now = context.host.clock.now();
        return Ok(RenewedAnswer {
            certificate: certificate.explain().summarize(now, None),
            is_new,
            line: certificate.to_openssh(),
            unsaved: Vec::new(),
        });
    }
    let agent = context.agent_for(profile).await?;
    let answer = agent.renew(profile, &tenancy, when).await?;
    context.warn_of_unsaved(&answer.unsaved);
    if let Some(kept_in) = args.identity {
        let tenant = args.tenant.as_ref();
        let certificate = identity::keep(context, profile, tenant, kept_in.into()).await?;
        wrong_login_name::warn(context, args.login_name.as_ref(), certificate.login_name());
    }
    Ok(answer)
}

fn to_json((name, answer): &(ProfileName, RenewedAnswer)) -> Value {
    json!({
        "profile": name, "renewed": answer.is_new, "certificate": answer.certificate,
    })
}

fn to_text((name, answer): &(ProfileName, RenewedAnswer)) -> String {
    let verb = if answer.is_new {
        "renewed"
    } else {
        "up to date"
    };
    let left = Duration::from_secs(answer.certificate.remaining_seconds);
    format!("{name}  {verb}, {} left\n", Spoken(left))
}

/// Returns the failure that decides the exit status, with the others as causes. One that no sign-in mends comes first.
fn worst(mut failures: Vec<(ProfileName, Failure)>) -> Option<Failure> {
    failures.sort_by_key(|(_, failure)| failure.kind == FailureKind::SignInNeeded);
    let mut failures = failures.into_iter();
    let (name, first) = failures.next()?;
    let mut failure = first.within(format!(
        "cannot renew the certificate of the profile `{name}`"
    ));
    for (name, other) in failures {
        failure
            .causes
            .push(format!("profile `{name}`: {other}").into());
    }
    Some(failure)
}

/// Parses a duration as `ssh_config(5)` has it: seconds, or a number with `s`, `m`, `h` or `d`.
fn parse_time(text: &str) -> Result<Duration, String> {
    let (number, unit) = match text.strip_suffix(['s', 'm', 'h', 'd']) {
        Some(number) => (number, text.chars().last()),
        None => (text, None),
    };
    let seconds = match unit {
        Some('m') => 60,
        Some('h') => 3600,
        Some('d') => 86_400,
        _ => 1,
    };
    number
        .parse::<u32>()
        .map(|number| Duration::from_secs(u64::from(number) * seconds))
        .map_err(|_| format!("invalid duration `{text}`: expected 90s, 10m or 1h"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_ssh_reads_them() {
        for (text, seconds) in [
            ("90", 90),
            ("90s", 90),
            ("10m", 600),
            ("1h", 3600),
            ("2d", 172_800),
        ] {
            assert_eq!(parse_time(text), Ok(Duration::from_secs(seconds)));
        }
        for text in ["", "m", "-1m", "1w", "1.5h", "10 m"] {
            assert!(parse_time(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_failure_that_no_sign_in_mends_decides() {
        let name = |text: &str| text.parse::<ProfileName>().unwrap();
        let failures = vec![
            (
                name("one"),
                Failure::new("sign in").kind(FailureKind::SignInNeeded),
            ),
            (name("two"), Failure::new("no network")),
        ];
        let failure = worst(failures).unwrap();
        assert_eq!(failure.kind, FailureKind::Failed);
        assert!(failure.error.contains("`two`"));
        assert_eq!(failure.causes, ["no network", "profile `one`: sign in"]);
        assert!(worst(Vec::new()).is_none());
    }
}
