mod accounts;
mod step_up;

use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::Arc;

use super::global::Global;
use super::path_arg::absolute;
use super::ui::{self, Ui};
use crate::agent::client::AgentClient;
use crate::agent::memory::AgentMemory;
use crate::certificate::CertificateSummary;
use crate::failure::Failure;
use crate::host::{Host, process};
use crate::hosts::{Hosts, NotIncluded, Written};
use crate::ids::{ProfileName, SubscriptionId};
use crate::keyring::Choice;
use crate::line::Line;
use crate::session::{CloudName, Profiles};
use crate::ssh_config::{ManagedConfig, shell_word};

/// The cloud that is meant if none is named.
const DEFAULT_CLOUD: &str = "AzureCloud";

/// What every command is handed: the host, the agent and the global options.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) host: Host,
    /// The account that was named, if one was.
    pub(super) profile: Option<ProfileName>,
    pub(super) keyring: Choice,
    pub(super) subscriptions: Vec<SubscriptionId>,
    /// The agent, for what concerns no account.
    pub(super) agent: AgentClient,
    /// Whether `--agent-socket` names another socket than the one that is derived.
    is_agent_named: bool,
    cloud: Option<String>,
    /// What is odd about the certificates that were issued, each thing once.
    warnings: RefCell<Vec<Line>>,
    is_quiet: bool,
}

impl Context {
    pub(super) fn new(mut host: Host, global: Global) -> Result<Self, Failure> {
        let named = global.agent_socket.as_deref().map(absolute).transpose()?;
        let own = host.paths.agent_socket();
        // The managed config names the link.
        let is_own = |named: &PathBuf| *named != own && *named != host.paths.agent_link();
        let named = named.filter(is_own);
        let is_agent_named = named.is_some();
        let mut agent = AgentClient::new(named.unwrap_or(own), host.env.clone());
        if !global.quiet && ui::is_watched() {
            agent = agent.showing_waits(ui::show_progress);
        }
        host.memory = Arc::new(AgentMemory::new(agent.clone()));
        Ok(Self {
            is_agent_named,
            agent,
            profile: global.profile,
            keyring: global.keyring,
            subscriptions: global.subscription,
            cloud: global.cloud,
            warnings: RefCell::default(),
            is_quiet: global.quiet,
            host,
        })
    }

    /// Returns the cloud of `--cloud`.
    pub(super) fn cloud(&self) -> Result<CloudName, Failure> {
        let folder = process::current_folder()
            .map_err(|error| Failure::new("cannot tell the current folder").caused_by(&error))?;
        let text = self.cloud.as_deref().unwrap_or(DEFAULT_CLOUD);
        Ok(CloudName::parse(text, &folder)?)
    }

    const fn is_cloud_named(&self) -> bool {
        self.cloud.is_some()
    }

    pub(super) fn profiles(&self) -> Profiles {
        Profiles::new(&self.host.paths)
    }

    /// Returns the account that was named, or the one that is meant if none was.
    pub(super) fn profile_name(&self) -> ProfileName {
        self.profile.clone().unwrap_or_default()
    }

    /// Warns of what the agent could not store.
    pub(super) fn warn_of_unsaved(&self, unsaved: &[Line]) {
        if !self.is_quiet {
            for unsaved in unsaved {
                ui::ask(&format!("warning: {unsaved}"));
            }
        }
    }

    /// Says how an agent that `ssh-add -x` has locked is unlocked.
    pub(super) fn unlock_hint(&self) -> String {
        let socket = self.agent.socket().display().to_string();
        format!(
            "unlock it: SSH_AUTH_SOCK={} ssh-add -X; without the passphrase, restart it: entra-ssh agent stop",
            shell_word(&socket)
        )
    }

    /// Records what is odd about a certificate, for [`Context::warn`].
    pub(super) fn record_warnings(&self, certificate: &CertificateSummary) {
        let mut warnings = self.warnings.borrow_mut();
        for warning in &certificate.warnings {
            if !warnings.contains(warning) {
                warnings.push(warning.clone());
            }
        }
    }

    /// Says what was odd about certificates, once each, however many hosts they are for.
    pub(super) fn warn(&self, ui: Ui) {
        for warning in self.warnings.take() {
            ui.say(&format!("warning: {warning}"));
        }
    }

    /// Returns the managed hosts of this user.
    pub(super) fn hosts(&self) -> Hosts<'_> {
        Hosts::new(&self.host, self.agent.socket(), self.is_agent_named)
    }

    /// Changes the managed hosts, and says what the user has to add if ssh does not read them yet.
    pub(super) async fn change_hosts<T>(
        &self,
        change: impl FnOnce(&mut ManagedConfig) -> T,
    ) -> Result<T, Failure> {
        let Written {
            value,
            not_included,
        } = self.hosts().change(change).await?;
        if let Some(NotIncluded { path, error, line }) = not_included {
            ui::ask(&format!(
                "warning: the hosts are written, but ssh does not read them yet: cannot write `{}`: {error}\n\
                 hint: add this line above the first Host or Match, where that file comes from: {line}",
                path.display(),
            ));
        }
        Ok(value)
    }
}
