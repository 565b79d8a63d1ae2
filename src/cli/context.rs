use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Global;
use super::login::{environment, proof, step_up};
use super::ui::{self, Ui};
use crate::agent::ask::{CertificateAnswer, Tenancy};
use crate::agent::client::AgentClient;
use crate::agent::memory::AgentMemory;
use crate::certificate::CertificateSummary;
use crate::failure::{Failure, FailureKind, file_failure};
use crate::host::Host;
use crate::host::paths;
use crate::hosts::{Hosts, NotIncluded, Written};
use crate::ids::{ProfileName, SubscriptionId, TenantId};
use crate::keyring::Choice;
use crate::line::Line;
use crate::session::{AccountSource, CloudName, Profile, Profiles, Session};
use crate::ssh_config::{ManagedConfig, shell_word};

/// The cloud that is meant if none is named.
const DEFAULT_CLOUD: &str = "AzureCloud";

/// What every command is handed: the machine, and the global options.
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
        let folder = std::env::current_dir()
            .map_err(|error| Failure::new("cannot tell the current folder").caused_by(&error))?;
        let text = self.cloud.as_deref().unwrap_or(DEFAULT_CLOUD);
        Ok(CloudName::parse(text, &folder)?)
    }

    pub(super) const fn is_cloud_named(&self) -> bool {
        self.cloud.is_some()
    }

    pub(super) fn profiles(&self) -> Profiles {
        Profiles::new(&self.host.paths)
    }

    /// Returns the account that was named, or the one that is meant if none was.
    pub(super) fn profile_name(&self) -> ProfileName {
        self.profile.clone().unwrap_or_default()
    }

    /// Returns the profile of `--profile`, which a pipeline's variables may stand in for.
    pub(super) async fn load_profile(&self) -> Result<Profile, Failure> {
        self.profile_of(&self.profile_name())
            .await
            .map_err(|failure| self.explain_machine_identity(failure))
    }

    /// Returns a profile, which a pipeline's variables may stand in for.
    pub(super) async fn profile_of(&self, name: &ProfileName) -> Result<Profile, Failure> {
        match environment::identity(self, name).await? {
            Some(identity) => Ok(identity.profile),
            None => Ok(self.profiles().load(name)?),
        }
    }

    /// Opens the account of `--profile` in a tenant; without one, in the tenant that it is signed in to.
    pub(super) async fn session(&self, tenant: Option<&TenantId>) -> Result<Session, Failure> {
        self.session_of(&self.profile_name(), tenant)
            .await
            .map_err(|failure| self.explain_machine_identity(failure))
    }

    /// Opens the account of a profile in a tenant; without one, in the tenant that it is signed in to.
    pub(super) async fn session_of(
        &self,
        name: &ProfileName,
        tenant: Option<&TenantId>,
    ) -> Result<Session, Failure> {
        let source = match environment::identity(self, name).await? {
            Some(identity) => AccountSource::from(identity),
            None => self.profiles().load(name)?.into(),
        };
        Ok(Session::open(&self.host, source, tenant).await?)
    }

    /// Returns the agent, to be asked about a profile, which a pipeline's variables may stand in for.
    pub(super) async fn agent_for(&self, profile: &ProfileName) -> Result<AgentClient, Failure> {
        Ok(match environment::identity(self, profile).await? {
            Some(identity) => self.agent.with_account(identity),
            None => self.agent.clone(),
        })
    }

    /// Has the agent see to it that there is a live certificate. What needs a person is a failure.
    pub(super) async fn certificate(
        &self,
        profile: &ProfileName,
        tenancy: &Tenancy,
    ) -> Result<CertificateAnswer, Failure> {
        let answer = self
            .agent_for(profile)
            .await?
            .certificate(profile, tenancy)
            .await?;
        self.warn_of_unsaved(&answer.unsaved);
        Ok(answer)
    }

    /// Warns of what the agent could not store.
    pub(super) fn warn_of_unsaved(&self, unsaved: &[Line]) {
        if !self.is_quiet {
            for unsaved in unsaved {
                ui::ask(&format!("warning: {unsaved}"));
            }
        }
    }

    /// As [`Context::certificate`], for a login that begins now: ssh finds no key in an agent that is locked.
    pub(super) async fn certificate_for_login(
        &self,
        profile: &ProfileName,
        tenancy: &Tenancy,
    ) -> Result<CertificateAnswer, Failure> {
        let answer = self.certificate(profile, tenancy).await?;
        if !answer.is_locked {
            return Ok(answer);
        }
        Err(
            Failure::new("the agent is locked, and ssh finds no key in it")
                .hint(self.unlock_hint()),
        )
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

    /// Does something that policies may ask more for than the sign-in has given. A person at a terminal is asked for it, in
    /// the way that they signed in, once.
    pub(super) async fn answering<T>(
        &self,
        ui: Ui,
        profile: &ProfileName,
        job: impl AsyncFn() -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let failure = match job().await {
            Err(failure) if failure.challenge.is_some() && ui::is_at_terminal() => failure,
            outcome => return outcome,
        };
        let Some(challenge) = &failure.challenge else {
            return Err(failure);
        };
        let reason = failure.causes.first().unwrap_or(&failure.error);
        ui.say(&format!("once more, since {reason}"));
        let profile = self.profiles().load(profile)?;
        step_up::answer(ui, self, &profile, challenge).await?;
        job().await.map_err(|failure| match failure.challenge {
            Some(_) => failure.hint(
                "this was answered just now and is asked for again: ask an administrator of the tenant",
            ),
            None => failure,
        })
    }

    /// Says, where nobody is signed in, that the identity of this machine is no way in by itself.
    fn explain_machine_identity(&self, failure: Failure) -> Failure {
        let env = &self.host.env;
        if failure.kind != FailureKind::SignInNeeded {
            failure
        } else if proof::is_cloud_shell(env) {
            failure.hint(
                "entra-ssh does not take over the sign-in of Cloud Shell; sign in as yourself: entra-ssh login --device-code",
            )
        } else if proof::offers_managed_identity(env) {
            failure.hint(format!(
                "a managed identity gets no certificates of its own; {}",
                proof::MANAGED_IDENTITY_HINT
            ))
        } else {
            failure
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

/// Returns a path that means the same in any folder. It may become a part of a config, so that it holds no control character,
/// and nor does the folder that it is relative to.
pub(super) fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    let path =
        std::path::absolute(path).map_err(|error| file_failure("use the path", path, &error))?;
    paths::without_control_characters(&path)?;
    Ok(path)
}
