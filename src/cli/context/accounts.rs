//! The accounts that a command uses: a profile that is signed in, or what a pipeline's variables say in its place.

use super::Context;
use crate::agent::ask::{CertificateAnswer, Tenancy};
use crate::agent::client::AgentClient;
use crate::failure::{Failure, FailureKind, MANAGED_IDENTITY_HINT};
use crate::ids::{ProfileName, TenantId};
use crate::session::{self, AccountSource, EnvironmentIdentity, Profile, Session, Variables};

impl Context {
    /// Returns the profile of `--profile`, which a pipeline's variables may stand in for.
    pub(in super::super) async fn load_profile(&self) -> Result<Profile, Failure> {
        self.profile_of(&self.profile_name())
            .await
            .map_err(|failure| self.explain_machine_identity(failure))
    }

    /// Returns a profile, which a pipeline's variables may stand in for.
    pub(in super::super) async fn profile_of(
        &self,
        name: &ProfileName,
    ) -> Result<Profile, Failure> {
        match self.environment_account(name).await? {
            Some(identity) => Ok(identity.profile),
            None => Ok(self.profiles().load(name)?),
        }
    }

    /// Returns the account that the variables of this process name for a profile that is not signed in, if they do.
    async fn environment_account(
        &self,
        name: &ProfileName,
    ) -> Result<Option<EnvironmentIdentity>, Failure> {
        let Some(variables) = Variables::read(&self.host, name).await? else {
            return Ok(None);
        };
        let cloud = if self.is_cloud_named() {
            None
        } else {
            Variables::cloud(&self.host.env)?
        };
        let cloud = cloud.map_or_else(|| self.cloud(), Ok)?;
        // The agent remembers the IDs of domains.
        let tenant = variables.tenant.clone();
        let tenant = if tenant.is_id() {
            tenant
        } else {
            self.agent.tenant_id(&cloud, tenant).await?
        };
        Ok(Some(variables.into_identity(name.clone(), cloud, tenant)))
    }

    /// Opens the account of `--profile` in a tenant; without one, in the tenant that it is signed in to.
    pub(in super::super) async fn session(
        &self,
        tenant: Option<&TenantId>,
    ) -> Result<Session, Failure> {
        self.session_of(&self.profile_name(), tenant)
            .await
            .map_err(|failure| self.explain_machine_identity(failure))
    }

    /// Opens the account of a profile in a tenant; without one, in the tenant that it is signed in to.
    pub(in super::super) async fn session_of(
        &self,
        name: &ProfileName,
        tenant: Option<&TenantId>,
    ) -> Result<Session, Failure> {
        let source = match self.environment_account(name).await? {
            Some(identity) => AccountSource::from(identity),
            None => self.profiles().load(name)?.into(),
        };
        Ok(Session::open(&self.host, source, tenant).await?)
    }

    /// Returns a client of the agent for requests about a profile, which a pipeline's variables may stand in for.
    pub(in super::super) async fn agent_for(
        &self,
        profile: &ProfileName,
    ) -> Result<AgentClient, Failure> {
        Ok(match self.environment_account(profile).await? {
            Some(identity) => self.agent.with_account(identity),
            None => self.agent.clone(),
        })
    }

    /// Has the agent renew the certificate if necessary, and returns it. Fails if the user has to act first.
    pub(in super::super) async fn certificate(
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

    /// As [`Context::certificate`], for a login that begins now: ssh finds no key in an agent that is locked.
    pub(in super::super) async fn certificate_for_login(
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

    /// Explains, if the profile is not signed in, that this machine's own identity does not sign in by itself.
    fn explain_machine_identity(&self, failure: Failure) -> Failure {
        let env = &self.host.env;
        if failure.kind != FailureKind::SignInNeeded {
            failure
        } else if session::is_cloud_shell(env) {
            failure.hint(
                "entra-ssh does not take over the sign-in of Cloud Shell; sign in as yourself: entra-ssh login --device-code",
            )
        } else if session::offers_managed_identity(env) {
            failure.hint(format!(
                "Entra issues no certificates to managed identities; {MANAGED_IDENTITY_HINT}"
            ))
        } else {
            failure
        }
    }
}
