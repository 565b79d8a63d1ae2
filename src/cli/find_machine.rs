//! The search for a machine, as this user's accounts see it.

use super::context::Context;
use super::ui::Ui;
use crate::agent::ask::MachinesQuestion;
use crate::failure::Failure;
use crate::ids::{
    HostAlias, MachineName, ProfileName, ResourceGroup, ResourceId, SubscriptionId, TenantId,
};
use crate::inventory::{self, Accounts, Found, Target};
use crate::session::Profile;
use crate::ssh_config::Block;

/// Finds the machine that a target names, and the account for it.
pub(super) async fn find(
    ui: Ui,
    context: &Context,
    target: &Target,
    group: Option<&ResourceGroup>,
) -> Result<Found, Failure> {
    let accounts = UserAccounts { ui, context };
    Ok(inventory::find(&accounts, target, group).await?)
}

/// Returns the managed host of this alias, if there is one: Azure is not asked then.
pub(super) fn managed(context: &Context, text: &str) -> Result<Option<Block>, Failure> {
    let Ok(alias) = text.parse::<HostAlias>() else {
        return Ok(None);
    };
    Ok(context.hosts().find(&alias)?)
}

/// The accounts that this user is signed in to. At a terminal, the user is prompted for what a policy requires.
struct UserAccounts<'a> {
    ui: Ui,
    context: &'a Context,
}

impl Accounts for UserAccounts<'_> {
    async fn first(&self) -> Result<Profile, Failure> {
        self.context.load_profile().await
    }

    fn others(&self) -> Vec<ProfileName> {
        if self.context.profile.is_some() {
            return Vec::new();
        }
        let mut names = self.context.profiles().names().unwrap_or_default();
        names.retain(|name| *name != ProfileName::default());
        names
    }

    fn load(&self, name: &ProfileName) -> Option<Profile> {
        self.context.profiles().load(name).ok()
    }

    async fn machines(
        &self,
        profile: &Profile,
        name: &MachineName,
        group: Option<&ResourceGroup>,
    ) -> Result<Vec<ResourceId>, Failure> {
        let look_up = async || {
            let question = MachinesQuestion {
                profile: profile.name.clone(),
                name: name.clone(),
                group: group.cloned(),
                subscriptions: self.context.subscriptions.clone(),
            };
            let agent = self.context.agent_for(&profile.name).await?;
            agent.machines(question).await
        };
        self.context
            .answering(self.ui, &profile.name, look_up)
            .await
    }

    async fn tenant_of(
        &self,
        profile: &Profile,
        subscription: &SubscriptionId,
    ) -> Result<Option<TenantId>, Failure> {
        let agent = self.context.agent_for(&profile.name).await?;
        agent.tenant_of(&profile.cloud, subscription).await
    }
}
