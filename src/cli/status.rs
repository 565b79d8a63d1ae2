use std::fmt::Write as _;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use super::context::Context;
use super::ui::Ui;
use crate::agent::ask::{Answer, Question};
use crate::agent::client;
use crate::certificate::CertificateSummary;
use crate::failure::Failure;
use crate::ids::{ProfileName, TenantId};
use crate::issue;
use crate::keyring::{Keyring, Kind};
use crate::profile::Profile;
use crate::sign_in::SignIn;
use crate::time::Spoken;

/// Show who is signed in, how long the certificate lives, the agent, and the keyring
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  entra-ssh status\n  entra-ssh status -o json")]
pub(super) struct StatusArgs {}

/// What is known about a profile.
struct Row {
    profile: Profile,
    cloud: String,
    signed_in: Result<bool, Failure>,
    certificate: Option<CertificateSummary>,
    /// The tenants that the account is a guest of, each with the certificate from there.
    guest_in: Vec<(TenantId, Option<CertificateSummary>)>,
}

pub(super) async fn run(ui: Ui, context: &Context, _args: StatusArgs) -> Result<(), Failure> {
    let mut rows = Vec::new();
    for name in context.profiles().names()? {
        rows.push((name.clone(), row(context, &name).await));
    }
    let of_variables = context.profile_name();
    if !rows.iter().any(|(name, _)| *name == of_variables)
        && let Ok(profile) = context.profile_of(&of_variables).await
    {
        rows.push((of_variables, row_of_variables(profile)));
    }
    let agent = client::ask_if_running(&context.agent_socket, &Question::Status).await;
    let running = matches!(agent, Ok(Some(Answer::Status(_))));
    let keyring = Keyring::choose(context.keyring, &context.host).await;
    let json = json!({
        "profiles": rows.iter().map(|(name, row)| to_json(name, row)).collect::<Vec<_>>(),
        "agent": { "running": running, "socket": context.agent_socket },
        "keyring": match &keyring {
            Ok(keyring) => json!({ "backend": keyring.backend(), "reason": keyring.reason() }),
            Err(error) => json!({ "backend": null, "reason": error.to_string() }),
        },
    });
    let mut text = rows
        .iter()
        .map(|(name, row)| to_text(name, row))
        .collect::<Vec<_>>()
        .concat();
    if rows.is_empty() {
        text.push_str("nobody is signed in; sign in with: entra-ssh login\n");
    }
    let state = if running { "runs" } else { "does not run" };
    // Writing to a String does not fail.
    let _written = match keyring {
        Ok(keyring) => writeln!(
            text,
            "agent    {state} ({})\nkeyring  {} ({})",
            context.agent_socket.display(),
            keyring.backend().name(),
            keyring.reason()
        ),
        Err(error) => writeln!(
            text,
            "agent    {state} ({})\nkeyring  none: {error}",
            context.agent_socket.display()
        ),
    };
    ui.result(&json, &text)?;
    Ok(())
}

async fn row(context: &Context, name: &ProfileName) -> Result<Row, Failure> {
    let profile = context.profiles().load(name)?;
    let cloud = profile.cloud.open()?.name;
    let sign_in = SignIn::open(&context.host, profile.clone()).await;
    let (mut certificate, mut guest_in) = (None, Vec::new());
    let signed_in = match sign_in {
        Ok(sign_in) => {
            certificate = stored(context, &sign_in).await;
            for tenant in &profile.guest_in {
                let there = sign_in.in_tenant(tenant.clone());
                guest_in.push((tenant.clone(), stored(context, &there).await));
            }
            let entry = sign_in.keyring().load(&profile.entry(Kind::SignIn)).await;
            entry
                .map(|entry| entry.is_some() || !profile.method.keeps_secret())
                .map_err(Failure::from)
        }
        Err(failure) => Err(failure),
    };
    Ok(Row {
        profile,
        cloud,
        signed_in,
        certificate,
        guest_in,
    })
}

/// Returns what is known about an account that the variables of this process name: it is stored nowhere.
fn row_of_variables(profile: Profile) -> Result<Row, Failure> {
    Ok(Row {
        cloud: profile.cloud.open()?.name,
        profile,
        signed_in: Ok(true),
        certificate: None,
        guest_in: Vec::new(),
    })
}

/// Returns the certificate that the keyring holds. That there is none, or the keyring is away, is told otherwise.
async fn stored(context: &Context, sign_in: &SignIn) -> Option<CertificateSummary> {
    let issued = issue::stored(sign_in).await.unwrap_or_default()?;
    let now = context.host.clock.now();
    Some(issued.certificate.explain().summarize(now, None))
}

impl Row {
    fn to_json(&self) -> Value {
        json!({
            "name": self.profile.name,
            "cloud": self.cloud,
            "tenant": self.profile.tenant,
            "account": self.profile.account,
            "signed_in": self.signed_in.as_ref().is_ok_and(|there| *there),
            "certificate": self.certificate,
            "guest_in": self.guest_in.iter().map(|(tenant, certificate)| {
                json!({ "tenant": tenant, "certificate": certificate })
            }).collect::<Vec<_>>(),
            "keyring": self.profile.keyring,
        })
    }

    fn to_text(&self) -> String {
        let certificate = match (&self.certificate, &self.signed_in) {
            (Some(certificate), _) => summary(certificate),
            (None, Ok(true)) if self.profile.environment.is_some() => {
                "named by AZURE_ variables; nothing is stored".to_owned()
            }
            (None, Ok(true)) => "no certificate yet".to_owned(),
            (None, Ok(false)) => "signed out; sign in with: entra-ssh login".to_owned(),
            (None, Err(failure)) => format!("unknown: {failure}"),
        };
        let mut text = format!(
            "{}  {} in {} ({}): {certificate}\n",
            self.profile.name, self.profile.account, self.profile.tenant, self.cloud
        );
        for (tenant, certificate) in &self.guest_in {
            let certificate = certificate.as_ref().map(summary);
            // Writing to a String does not fail.
            let _written = writeln!(
                text,
                "{}  guest in {tenant}: {}",
                self.profile.name,
                certificate.as_deref().unwrap_or("no certificate now")
            );
        }
        text
    }
}

fn summary(certificate: &CertificateSummary) -> String {
    format!(
        "certificate for {}, {} left",
        certificate.principals.join(", "),
        Spoken(Duration::from_secs(certificate.remaining_seconds))
    )
}

/// A profile that cannot be read is shown as such, and hides no other.
fn to_json(name: &ProfileName, row: &Result<Row, Failure>) -> Value {
    match row {
        Ok(row) => row.to_json(),
        Err(failure) => json!({
            "name": name, "cloud": null, "tenant": null, "account": null, "signed_in": false, "certificate": null,
            "error": failure.error,
        }),
    }
}

fn to_text(name: &ProfileName, row: &Result<Row, Failure>) -> String {
    match row {
        Ok(row) => row.to_text(),
        Err(failure) => format!(
            "{name}  unusable: {failure}; remove it with: entra-ssh --profile {name} logout\n"
        ),
    }
}
