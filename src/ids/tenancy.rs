use serde::{Deserialize, Serialize};

use super::{ResourceId, SubscriptionId, TenantId};

/// The tenant that a certificate or credentials come from. That of a machine is its subscription's, whichever tenant the user
/// signed in to.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tenancy {
    /// The tenant that the account signed in to.
    #[default]
    Home,
    /// The tenant of a subscription, looked up when needed.
    OfSubscription(SubscriptionId),
    /// A known tenant.
    Tenant(TenantId),
}

impl Tenancy {
    /// Returns the tenant that certificates and credentials for a machine come from: the known one, or else that of the
    /// machine's subscription.
    #[must_use]
    pub fn of(tenant: Option<&TenantId>, machine: Option<&ResourceId>) -> Self {
        match (tenant, machine) {
            (Some(tenant), _) => Self::Tenant(tenant.clone()),
            (None, Some(machine)) => Self::OfSubscription(machine.subscription().clone()),
            (None, None) => Self::Home,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_tenant_goes_before_that_of_the_subscription() {
        let tenant: TenantId = "contoso.com".parse().unwrap();
        let machine: ResourceId = "/subscriptions/0b1f6471-1bf0-4dda-aec3-cb9272f09590/resourceGroups/rg/providers/Microsoft.HybridCompute/machines/web01"
            .parse()
            .unwrap();
        let known = Tenancy::Tenant(tenant.clone());
        assert_eq!(Tenancy::of(Some(&tenant), Some(&machine)), known);
        assert_eq!(Tenancy::of(Some(&tenant), None), known);
        assert_eq!(
            Tenancy::of(None, Some(&machine)),
            Tenancy::OfSubscription(machine.subscription().clone())
        );
        assert_eq!(Tenancy::of(None, None), Tenancy::Home);
    }
}
