//! The login names of managed hosts: those of the certificates, which follow the accounts that are signed in.

use std::io::{self, BufRead as _, Read as _};

use super::context::Context;
use super::ui::{self, Ui};
use crate::agent::ask::Tenancy;
use crate::failure::Failure;
use crate::hosts;
use crate::ids::{HostAlias, Principal, ProfileName};
use crate::session::Profile;
use crate::ssh_config::{Block, Identity};

/// The longest answer to a question, in bytes.
const MAX_ANSWER_BYTES: u64 = 256;
/// How many hosts a sentence names.
const MAX_NAMED: usize = 5;

/// The login names of certificates, each asked of the agent once, however many hosts there are.
pub(super) struct LoginNames<'a> {
    pub(super) ui: Ui,
    pub(super) context: &'a Context,
    known: Vec<(ProfileName, Tenancy, Result<Principal, Failure>)>,
}

impl<'a> LoginNames<'a> {
    pub(super) const fn new(ui: Ui, context: &'a Context) -> Self {
        Self {
            ui,
            context,
            known: Vec::new(),
        }
    }

    /// Returns the login name of a profile in a tenant: the first principal of its certificate, which is issued if there is none.
    pub(super) async fn of(
        &mut self,
        profile: &ProfileName,
        tenancy: &Tenancy,
    ) -> Result<Principal, Failure> {
        let known = self
            .known
            .iter()
            .find(|(name, place, _)| name == profile && place == tenancy);
        if let Some((_, _, outcome)) = known {
            return outcome.clone();
        }
        if self.known.is_empty() {
            self.ui.say("checking the certificate");
        }
        let certify = async || self.context.certificate(profile, tenancy).await;
        let outcome = self.context.answering(self.ui, profile, certify).await;
        let outcome = outcome.map(|answer| {
            self.context.record_warnings(&answer.certificate);
            answer.login_name
        });
        self.known
            .push((profile.clone(), tenancy.clone(), outcome.clone()));
        outcome
    }

    /// Returns the login name that a managed host should have by now, if that is another one. A local account stays what it is,
    /// and so does the name of a host whose profile is not signed in.
    pub(super) async fn changed(&mut self, block: &Block) -> Result<Option<Principal>, Failure> {
        if block.identity == Identity::Own {
            return Ok(None);
        }
        let Ok(profile) = self.context.profiles().load(&block.profile) else {
            return Ok(None);
        };
        // Most often nothing has changed, and that needs no certificate.
        if block.user.as_str() == profile.account.as_str().to_lowercase() {
            return Ok(None);
        }
        let user = self.of(&block.profile, &block.tenancy()).await?;
        Ok((user != block.user).then_some(user))
    }
}

/// Gives the hosts of a profile the login name of another account that has signed in as it, if the user agrees, or says what
/// to type.
pub(super) async fn follow(
    ui: Ui,
    context: &Context,
    before: Option<&Profile>,
    profile: &Profile,
) -> Result<(), Failure> {
    if before.is_some_and(|before| before.account == profile.account) {
        return Ok(());
    }
    let config = context.hosts().read()?;
    let mut names = LoginNames::new(ui, context);
    let mut changed = Vec::new();
    for block in config
        .blocks()
        .filter(|block| block.profile == profile.name)
    {
        // Without a certificate the name stays: the next connection asks for it again, and says why it fails.
        if let Ok(Some(user)) = names.changed(block).await {
            changed.push((block.host.clone(), user));
        }
    }
    if changed.is_empty() {
        return Ok(());
    }
    let (hosts, is) = (named(&changed), &profile.account);
    if !ui::is_at_terminal() {
        ui.say(&format!(
            "{hosts} still log in as another user; to have them log in as `{is}`: entra-ssh config refresh"
        ));
        return Ok(());
    }
    ui::ask(&format!(
        "{hosts} still log in as another user. Have them log in as `{is}`? [Y/n]"
    ));
    if !is_yes().await {
        ui.say("left as they are; to change them later: entra-ssh config refresh");
        return Ok(());
    }
    context
        .change_hosts(|config| hosts::set_login_names(config, &changed))
        .await
}

fn named(changed: &[(HostAlias, Principal)]) -> String {
    let names = changed.iter().take(MAX_NAMED);
    let names: Vec<String> = names.map(|(host, _)| format!("`{host}`")).collect();
    let rest = match changed.len().saturating_sub(MAX_NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("the managed hosts {}{rest}", names.join(", "))
}

/// Reads the answer to a question whose default is yes. Without an answer, as when the terminal is gone, it is no.
async fn is_yes() -> bool {
    let read = || {
        let mut line = String::new();
        let mut stdin = io::stdin().lock().take(MAX_ANSWER_BYTES);
        let read = stdin.read_line(&mut line);
        read.is_ok_and(|length| length > 0).then_some(line)
    };
    let line = tokio::task::spawn_blocking(read).await.ok().flatten();
    line.is_some_and(|line| matches!(line.trim().to_lowercase().as_str(), "" | "y" | "yes"))
}
