use std::fmt::{self, Write as _};
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use super::context::Context;
use super::ui::Ui;
use crate::certificate::{CertificateSummary, Explanation};
use crate::failure::{Failure, FailureKind, login_command};
use crate::ids::{ProfileName, TenantId};
use crate::issue;
use crate::keyring::{Backend, Choice, Keyring, Kind};
use crate::session::{Profile, Session};
use crate::time::Spoken;

/// Show who is signed in, the time left on each certificate, the agent and the keyring
///
/// Exit status: 0 the profile is signed in, 1 its keyring does not answer, 4 sign-in required.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  entra-ssh status\n  entra-ssh status -o json")]
pub(super) struct StatusArgs {}

/// What is known about a profile.
struct Row {
    profile: Profile,
    cloud: String,
    signed_in: Result<bool, Failure>,
    certificate: Option<Kept>,
    /// The tenants that the account is a guest of, each with the certificate from there.
    guest_in: Vec<(TenantId, Option<Kept>)>,
}

/// A certificate, which may have expired.
struct Kept {
    summary: CertificateSummary,
    /// How long ago it expired, if it did.
    expired: Option<Duration>,
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
    let agent = context.agent.status().await;
    let running = matches!(agent, Ok(Some(_)));
    let selected = context.profile_name();
    let row = rows.iter().find(|(name, _)| *name == selected);
    let row = row.map(|(_, row)| row);
    let keyring = KeyringLine::of(context, row).await;
    let json = json!({
        "profiles": rows.iter().map(|(name, row)| to_json(name, row)).collect::<Vec<_>>(),
        "agent": { "running": running, "socket": context.agent.socket() },
        "keyring": {
            "backend": keyring.backend,
            "reason": keyring.reason,
            "forgets": keyring.backend.and_then(Backend::forgets),
        },
    });
    let mut text: String = rows
        .iter()
        .map(|(name, row)| to_text(name, row, keyring.backend))
        .collect();
    if rows.is_empty() {
        text.push_str("not signed in; sign in with: entra-ssh login\n");
    }
    let state = match &agent {
        Ok(Some(_)) => "running".to_owned(),
        Ok(None) => "not running".to_owned(),
        Err(failure) => format!("does not answer: {failure}"),
    };
    // Writing to a String does not fail.
    let _written = writeln!(
        text,
        "agent    {state} ({})\nkeyring  {keyring}",
        context.agent.socket().display()
    );
    ui.result(&json, &text)?;
    outcome(context, &selected, row).await
}

/// Returns the failure that decides the exit status, if the selected profile is not signed in.
async fn outcome(
    context: &Context,
    name: &ProfileName,
    row: Option<&Result<Row, Failure>>,
) -> Result<(), Failure> {
    let row = match row {
        Some(Ok(row)) => row,
        Some(Err(failure)) => return Err(failure.clone()),
        None => return context.profile_of(name).await.map(drop),
    };
    match &row.signed_in {
        Ok(true) => Ok(()),
        Ok(false) => {
            let keyring = row.profile.keyring;
            let mut failure = Failure::new(format!("profile `{name}` is not signed in"))
                .kind(FailureKind::SignInNeeded)
                .hint(format!("sign in: {}", login_command(name)));
            if let Some(when) = keyring.forgets() {
                let cause = format!("{keyring} forgets the sign-in {when}");
                failure.causes.push(cause.into());
            }
            Err(failure)
        }
        Err(failure) => Err(failure.clone().within(format!(
            "cannot determine whether the profile `{name}` is signed in"
        ))),
    }
}

/// Where the secrets of the selected profile are, or, without one, where a sign-in would keep them.
struct KeyringLine {
    backend: Option<Backend>,
    reason: String,
}

impl KeyringLine {
    async fn of(context: &Context, row: Option<&Result<Row, Failure>>) -> Self {
        if let (Choice::Auto, Some(Ok(row))) = (context.keyring, row)
            && row.is_stored()
        {
            return Self {
                backend: Some(row.profile.keyring),
                reason: format!("the profile {} is kept there", row.profile.name),
            };
        }
        match Keyring::choose(context.keyring, &context.host).await {
            Ok(keyring) => Self {
                backend: Some(keyring.backend()),
                reason: keyring.reason().to_owned(),
            },
            Err(error) => Self {
                backend: None,
                reason: error.to_string(),
            },
        }
    }
}

impl fmt::Display for KeyringLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(backend) = self.backend else {
            return write!(f, "none: {}", self.reason);
        };
        write!(f, "{} ({})", backend.name(), self.reason)?;
        match backend.forgets() {
            Some(when) => write!(f, "; it forgets {when}"),
            None => Ok(()),
        }
    }
}

async fn row(context: &Context, name: &ProfileName) -> Result<Row, Failure> {
    let profile = context.profiles().load(name)?;
    let cloud = profile.cloud.open()?.name;
    let session = Session::open(&context.host, profile.clone(), None).await;
    let (mut certificate, mut guest_in) = (None, Vec::new());
    let signed_in = match session {
        Ok(session) => {
            certificate = stored(context, &session).await;
            for tenant in &profile.guest_in {
                let there = session.in_tenant(tenant.clone());
                guest_in.push((tenant.clone(), stored(context, &there).await));
            }
            let entry = session.keyring().load(&profile.entry(Kind::SignIn)).await;
            entry
                .map(|entry| entry.is_some() || !profile.method.keeps_secret())
                .map_err(Failure::from)
        }
        Err(error) => Err(error.into()),
    };
    Ok(Row {
        profile,
        cloud,
        signed_in,
        certificate,
        guest_in,
    })
}

/// Returns the row of an account that environment variables name. Nothing of it is stored.
fn row_of_variables(profile: Profile) -> Result<Row, Failure> {
    Ok(Row {
        cloud: profile.cloud.open()?.name,
        profile,
        signed_in: Ok(true),
        certificate: None,
        guest_in: Vec::new(),
    })
}

/// Returns the certificate that the keyring holds, if it can be read.
async fn stored(context: &Context, session: &Session) -> Option<Kept> {
    let unverified = issue::stored_unverified(session)
        .await
        .unwrap_or_default()?;
    let now = context.host.clock.now();
    let end = unverified.validity().1;
    Some(Kept {
        summary: Explanation::of(&unverified).summarize(now, None),
        expired: (end <= now).then(|| now.since(end)),
    })
}

impl Row {
    /// Returns whether a keyring holds something of it, unlike of an account that environment variables name.
    const fn is_stored(&self) -> bool {
        self.profile.environment.is_none()
    }

    fn to_json(&self) -> Value {
        json!({
            "name": self.profile.name,
            "cloud": self.cloud,
            "tenant": self.profile.tenant,
            "account": self.profile.account,
            "signed_in": self.signed_in.as_ref().is_ok_and(|there| *there),
            "certificate": self.certificate.as_ref().map(|kept| &kept.summary),
            "guest_in": self.guest_in.iter().map(|(tenant, certificate)| {
                let certificate = certificate.as_ref().map(|kept| &kept.summary);
                json!({ "tenant": tenant, "certificate": certificate })
            }).collect::<Vec<_>>(),
            "keyring": self.profile.keyring,
            "forgets": self.profile.keyring.forgets().filter(|_| self.is_stored()),
        })
    }

    /// Returns its lines. They name its keyring if the line below names another one (`told`).
    fn to_text(&self, told: Option<Backend>) -> String {
        let Profile { name, keyring, .. } = &self.profile;
        let certificate = match (&self.certificate, &self.signed_in) {
            (None, Ok(true)) if self.profile.environment.is_some() => {
                "named by AZURE_ variables; nothing is stored".to_owned()
            }
            (Some(kept), Ok(true)) => kept.to_text(),
            (None, Ok(true)) => "no certificate yet".to_owned(),
            (Some(kept), Ok(false)) if kept.expired.is_none() => {
                let login = login_command(name);
                format!("{}; signed out; sign in with: {login}", kept.to_text())
            }
            (_, Ok(false)) => format!("signed out; sign in with: {}", login_command(name)),
            (_, Err(failure)) => format!("unknown: {failure}"),
        };
        let mut text = format!(
            "{name}  {} in {} ({}): {certificate}\n",
            self.profile.account, self.profile.tenant, self.cloud
        );
        for (tenant, certificate) in &self.guest_in {
            let certificate = certificate.as_ref().map(Kept::to_text);
            // Writing to a String does not fail.
            let _written = writeln!(
                text,
                "{name}  guest in {tenant}: {}",
                certificate.as_deref().unwrap_or("no certificate")
            );
        }
        if self.is_stored() && told != Some(*keyring) {
            let forgets = match keyring.forgets() {
                Some(when) => format!("; it forgets {when}"),
                None => String::new(),
            };
            let _written = writeln!(text, "{name}  kept in {keyring}{forgets}");
        }
        text
    }
}

impl Kept {
    fn to_text(&self) -> String {
        let principals = self.summary.principals.join(", ");
        match self.expired {
            Some(time) => format!(
                "certificate for {principals} expired {} ago; the next login renews it",
                Spoken(time)
            ),
            None => format!(
                "certificate for {principals}, {} left",
                Spoken(Duration::from_secs(self.summary.remaining_seconds))
            ),
        }
    }
}

/// Returns the JSON of a row. A profile that cannot be read hides no other.
fn to_json(name: &ProfileName, row: &Result<Row, Failure>) -> Value {
    match row {
        Ok(row) => row.to_json(),
        Err(failure) => json!({
            "name": name, "cloud": null, "tenant": null, "account": null, "signed_in": false, "certificate": null,
            "error": failure.error,
        }),
    }
}

fn to_text(name: &ProfileName, row: &Result<Row, Failure>, told: Option<Backend>) -> String {
    match row {
        Ok(row) => row.to_text(told),
        Err(failure) => format!(
            "{name}  unusable: {failure}; remove it with: entra-ssh --profile {name} logout\n"
        ),
    }
}
