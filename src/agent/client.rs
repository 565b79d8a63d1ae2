//! The agent as our own programs see it: one method for each question.

mod exchange;
mod start;

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::ask::{
    AddressQuestion, Answer, CertificateAnswer, MachinesQuestion, MemoryAnswer, MemoryQuestion,
    Question, RelayAnswer, RelayQuestion, RenewedAnswer, StatusAnswer, Tenancy, another_version,
};
use super::caller::Caller;
use crate::azure::VmAddresses;
use crate::certificate::RenewWhen;
use crate::failure::Failure;
use crate::host::env::Env;
use crate::ids::{ProfileName, ResourceId, SubscriptionId, TenantId};
use crate::line::Line;
use crate::session::{CloudName, EnvironmentIdentity};

/// How long an answer may take before the user is shown what the agent waits for.
const WAIT_SHOWN_AFTER: Duration = Duration::from_secs(2);

/// The agent at a socket, asked on behalf of this process.
///
/// A question starts the agent if it does not run, except where a method says otherwise. An agent that dies over a question is
/// replaced once.
#[derive(Clone, Debug)]
pub struct AgentClient {
    socket: PathBuf,
    env: Env,
    identity: Option<Arc<EnvironmentIdentity>>,
    show_wait: Option<fn(&str)>,
}

impl AgentClient {
    /// Returns the client of the agent at this socket. The agent reaches network and keyring by the variables of `env`.
    #[must_use]
    pub const fn new(socket: PathBuf, env: Env) -> Self {
        Self {
            socket,
            env,
            identity: None,
            show_wait: None,
        }
    }

    /// Returns a client that shows what the agent waits for, as long as an answer is late; an empty text takes it away.
    pub(crate) fn showing_waits(self, show: fn(&str)) -> Self {
        Self {
            show_wait: Some(show),
            ..self
        }
    }

    /// Returns a client that brings an account of its own, which is stored nowhere. It counts for questions about its profile.
    pub(crate) fn with_account(&self, identity: EnvironmentIdentity) -> Self {
        Self {
            identity: Some(Arc::new(identity)),
            ..self.clone()
        }
    }

    /// Returns the socket that ssh finds the agent at.
    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    /// Returns a certificate that is not due, renewed first if it is.
    pub(crate) async fn certificate(
        &self,
        profile: &ProfileName,
        tenancy: &Tenancy,
    ) -> Result<CertificateAnswer, Failure> {
        let question = Question::Certificate {
            profile: profile.clone(),
            tenancy: tenancy.clone(),
        };
        match self.ask(&question).await? {
            Answer::Certificate(answer) => Ok(answer),
            _ => Err(another_version()),
        }
    }

    /// Returns a new certificate, or the one there is if it lasts long enough.
    ///
    /// # Errors
    /// [`Failure`] if the agent does not answer, or cannot renew it.
    pub async fn renew(
        &self,
        profile: &ProfileName,
        tenancy: &Tenancy,
        when: RenewWhen,
    ) -> Result<RenewedAnswer, Failure> {
        let question = Question::Renew {
            profile: profile.clone(),
            tenancy: tenancy.clone(),
            when,
        };
        match self.ask(&question).await? {
            Answer::Renewed(answer) => Ok(answer),
            _ => Err(another_version()),
        }
    }

    /// Returns relay credentials for a machine.
    ///
    /// # Errors
    /// [`Failure`] if the agent does not answer, or cannot acquire them.
    pub async fn relay_credentials(&self, question: RelayQuestion) -> Result<RelayAnswer, Failure> {
        match self.ask(&Question::RelayCredentials(question)).await? {
            Answer::RelayCredentials(answer) => Ok(answer),
            _ => Err(another_version()),
        }
    }

    /// Returns the addresses of a VM.
    pub(crate) async fn vm_addresses(
        &self,
        question: AddressQuestion,
    ) -> Result<VmAddresses, Failure> {
        match self.ask(&Question::VmAddresses(question)).await? {
            Answer::VmAddresses(addresses) => Ok(addresses),
            _ => Err(another_version()),
        }
    }

    /// Returns the machines of a name, as an account sees them.
    pub(crate) async fn machines(
        &self,
        question: MachinesQuestion,
    ) -> Result<Vec<ResourceId>, Failure> {
        match self.ask(&Question::Machines(question)).await? {
            Answer::Machines(found) => Ok(found),
            _ => Err(another_version()),
        }
    }

    /// Returns the ID of a tenant that is named by one of its domains.
    pub(crate) async fn tenant_id(
        &self,
        cloud: &CloudName,
        tenant: TenantId,
    ) -> Result<TenantId, Failure> {
        let question = Question::TenantId {
            cloud: cloud.clone(),
            tenant,
        };
        match self.ask(&question).await? {
            Answer::TenantId(id) => Ok(id),
            _ => Err(another_version()),
        }
    }

    /// Returns the tenant of a subscription, if the cloud knows the subscription.
    pub(crate) async fn tenant_of(
        &self,
        cloud: &CloudName,
        subscription: &SubscriptionId,
    ) -> Result<Option<TenantId>, Failure> {
        let question = Question::TenantOf {
            cloud: cloud.clone(),
            subscription: subscription.clone(),
        };
        match self.ask(&question).await? {
            Answer::TenantOf(tenant) => Ok(tenant),
            _ => Err(another_version()),
        }
    }

    /// Starts the agent if it does not run.
    pub(crate) async fn start(&self) -> Result<(), Failure> {
        let caller = Caller::default();
        exchange::ask(&self.socket, &caller, &Question::Status)
            .await
            .map(drop)
    }

    /// Returns the state of the agent if it runs.
    pub(crate) async fn status(&self) -> Result<Option<StatusAnswer>, Failure> {
        match exchange::ask_if_running(&self.socket, &Question::Status).await? {
            Some(Answer::Status(status)) => Ok(Some(status)),
            None => Ok(None),
            Some(_) => Err(another_version()),
        }
    }

    /// Stops the agent, and returns whether one ran.
    pub(crate) async fn stop(&self) -> Result<bool, Failure> {
        let answer = exchange::ask_if_running(&self.socket, &Question::Stop);
        answer.await.map(|answer| answer.is_some())
    }

    /// Has the agent forget all that it holds for a profile, and returns whether it runs.
    pub(crate) async fn forget(&self, profile: &ProfileName) -> Result<bool, Failure> {
        let question = Question::Forget {
            profile: profile.clone(),
        };
        let answer = exchange::ask_if_running(&self.socket, &question);
        answer.await.map(|answer| answer.is_some())
    }

    /// Returns what the memory keyring answers. Only to save something is the agent started; one that does not run holds nothing.
    pub(super) async fn memory(
        &self,
        question: MemoryQuestion,
    ) -> Result<Option<MemoryAnswer>, Failure> {
        let starts = matches!(question, MemoryQuestion::Save(..));
        let question = Question::Memory(question);
        let answer = if starts {
            exchange::ask(&self.socket, &Caller::default(), &question)
                .await
                .map(Some)
        } else {
            exchange::ask_if_running(&self.socket, &question).await
        };
        match answer? {
            Some(Answer::Memory(answer)) => Ok(Some(answer)),
            None => Ok(None),
            Some(_) => Err(another_version()),
        }
    }

    /// Asks, and shows meanwhile what the agent waits for.
    async fn ask(&self, question: &Question) -> Result<Answer, Failure> {
        let caller = Caller::new(&self.env, self.identity.as_deref())?;
        let mut answer = pin!(exchange::ask(&self.socket, &caller, question));
        let Some(show) = self.show_wait else {
            return answer.await;
        };
        let mut shown = None;
        let outcome = loop {
            tokio::select! {
                outcome = &mut answer => break outcome,
                () = sleep(WAIT_SHOWN_AFTER) => {
                    let waiting = self.current_wait().await;
                    if let Some(waiting) = waiting.filter(|waiting| shown.as_ref() != Some(waiting)) {
                        show(&waiting);
                        shown = Some(waiting);
                    }
                }
            }
        };
        if shown.is_some() {
            show("");
        }
        outcome
    }

    /// Returns what the agent waits for because a server asked it to.
    async fn current_wait(&self) -> Option<Line> {
        match timeout(WAIT_SHOWN_AFTER, self.status()).await {
            Ok(Ok(Some(status))) => status.waiting,
            _ => None,
        }
    }
}
