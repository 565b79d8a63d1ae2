use crate::failure::Failure;
use crate::ids::{MachineName, ProfileName, ResourceGroup, ResourceId, SubscriptionId, TenantId};
use crate::session::Profile;

/// The signed-in accounts that a search may use, and the agent that looks things up as one of them.
pub(crate) trait Accounts {
    /// Returns the account that the user named, or else the default one.
    async fn first(&self) -> Result<Profile, Failure>;

    /// Returns the other accounts to try: none if the user named one.
    fn others(&self) -> Vec<ProfileName>;

    /// Returns an account that can be read.
    fn load(&self, name: &ProfileName) -> Option<Profile>;

    /// Returns the machines of a name, as an account sees them.
    async fn machines(
        &self,
        profile: &Profile,
        name: &MachineName,
        group: Option<&ResourceGroup>,
    ) -> Result<Vec<ResourceId>, Failure>;

    /// Returns the tenant of a subscription, if the cloud knows the subscription.
    async fn tenant_of(
        &self,
        profile: &Profile,
        subscription: &SubscriptionId,
    ) -> Result<Option<TenantId>, Failure>;
}
