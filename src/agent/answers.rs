//! What our own programs ask: one method a question.

use super::account::Account;
use super::accounts::Origin;
use super::ask::{
    AddressQuestion, Answer, AskResult, Asked, CertificateAnswer, MachinesQuestion, Question,
    RelayAnswer, RelayQuestion, RenewedAnswer, Tenancy,
};
use super::state::Agent;
use crate::certificate::RenewWhen;
use crate::ids::ProfileName;
use crate::issue::Issued;
use crate::line::Line;

impl Agent {
    pub(super) async fn answer(&self, asked: Asked) -> AskResult {
        let (question, from) = match asked {
            Asked::From { caller, question } => (question, self.accounts.caller(&caller)?),
            Asked::Plainly(question) => (question, self.accounts.this_process()),
        };
        let from = &from;
        match question {
            Question::Certificate { profile, tenancy } => {
                self.certificate(from, &profile, &tenancy).await
            }
            Question::RelayCredentials(question) => self.relay_credentials(from, &question).await,
            Question::Forget { profile } => {
                self.accounts.forget(&profile).await;
                Ok(Answer::Done)
            }
            Question::Renew {
                profile,
                tenancy,
                when,
            } => self.renew(from, &profile, &tenancy, when).await,
            Question::Memory(question) => super::memory::answer(&self.memory, &question),
            Question::Status => Ok(Answer::Status(self.status().await)),
            Question::Stop => {
                self.stop();
                Ok(Answer::Done)
            }
            Question::Machines(question) => self.machines(from, &question).await,
            Question::TenantOf {
                cloud,
                subscription,
            } => {
                let found = self.accounts.tenant_of(from, &cloud, &subscription);
                Ok(Answer::TenantOf(found.await?))
            }
            Question::TenantId { cloud, tenant } => {
                let id = self.accounts.tenant_id(from, &cloud, tenant).await?;
                Ok(Answer::TenantId(id))
            }
            Question::VmAddresses(question) => self.vm_addresses(from, &question).await,
        }
    }

    async fn certificate(
        &self,
        from: &Origin,
        profile: &ProfileName,
        tenancy: &Tenancy,
    ) -> AskResult {
        let account = self.accounts.open(from, profile, tenancy).await?;
        account.restore();
        let issued = account.certificate().await?;
        let explanation = issued.certificate.explain();
        Ok(Answer::Certificate(CertificateAnswer {
            login_name: issued.certificate.login_name().clone(),
            certificate: explanation.summarize(self.host.clock.now(), None),
            is_locked: self.passphrase_lock.is_locked(),
            unsaved: unsaved(&account),
        }))
    }

    async fn relay_credentials(&self, from: &Origin, question: &RelayQuestion) -> AskResult {
        let RelayQuestion {
            profile,
            tenancy,
            machine,
            port,
            refused,
        } = question;
        let account = self.accounts.open(from, profile, tenancy).await?;
        let (credentials, is_new) = account
            .relay_credentials(machine, *port, refused.as_deref())
            .await?;
        Ok(Answer::RelayCredentials(RelayAnswer::new(
            &credentials,
            is_new,
        )))
    }

    async fn vm_addresses(&self, from: &Origin, question: &AddressQuestion) -> AskResult {
        let AddressQuestion {
            profile,
            tenancy,
            machine,
            unreached,
        } = question;
        let account = self.accounts.open(from, profile, tenancy).await?;
        let found = account.vm_addresses(machine, unreached.as_ref());
        Ok(Answer::VmAddresses(found.await?))
    }

    async fn machines(&self, from: &Origin, question: &MachinesQuestion) -> AskResult {
        let MachinesQuestion {
            profile,
            name,
            group,
            subscriptions,
        } = question;
        let account = self.accounts.open(from, profile, &Tenancy::Home).await?;
        let found = account.ask_azure(|manager| async move {
            manager
                .find_machines(name, group.as_ref(), subscriptions)
                .await
        });
        Ok(Answer::Machines(found.await?))
    }

    async fn renew(
        &self,
        from: &Origin,
        profile: &ProfileName,
        tenancy: &Tenancy,
        when: RenewWhen,
    ) -> AskResult {
        let account = self.accounts.open(from, profile, tenancy).await?;
        account.restore();
        let now = self.host.clock.now();
        let is_good = |issued: &Issued| !issued.lifetime().needs_renewal(when, now);
        let (issued, is_new) = account.certificate_that(is_good).await?;
        let explanation = issued.certificate.explain();
        Ok(Answer::Renewed(RenewedAnswer {
            certificate: explanation.summarize(self.host.clock.now(), None),
            is_new,
            line: issued.certificate.to_openssh(),
            unsaved: unsaved(&account),
        }))
    }
}

/// Returns a warning for each thing that the account's keyring did not take.
fn unsaved(account: &Account) -> Vec<Line> {
    let warnings = account.session.unsaved_warnings();
    warnings.into_iter().map(Line::from).collect()
}
