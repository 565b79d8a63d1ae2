use url::Url;

use super::{address, tenant_of_challenge};
use crate::cloud::Cloud;
use crate::host::http::{Http, HttpError};
use crate::ids::{SubscriptionId, TenantId};

/// Finds the tenant that a subscription belongs to, without a sign-in: Azure Resource Manager names it in the challenge that
/// comes with a 401. Returns `None` if it does not know the subscription.
///
/// # Errors
/// [`HttpError`].
pub(crate) async fn tenant_of_subscription(
    http: &Http,
    cloud: &Cloud,
    subscription: &SubscriptionId,
) -> Result<Option<TenantId>, HttpError> {
    let reply = http
        .get(&subscription_url(cloud, subscription), None)
        .await?;
    Ok(reply
        .challenge
        .as_deref()
        .filter(|_| reply.status == 401)
        .and_then(tenant_of_challenge)
        .and_then(|tenant| tenant.to_lowercase().parse().ok()))
}

fn subscription_url(cloud: &Cloud, subscription: &SubscriptionId) -> Url {
    address(
        &cloud.resource_manager,
        &format!("/subscriptions/{subscription}"),
        &[("api-version", "2022-12-01")],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_subscription_is_asked_for_by_its_id() {
        let cloud = Cloud::built_in("AzureCloud").unwrap();
        let subscription = "0b1f6471-1bf0-4dda-aec3-cb9272f09590".parse().unwrap();
        assert_eq!(
            subscription_url(&cloud, &subscription).as_str(),
            "https://management.azure.com/subscriptions/0b1f6471-1bf0-4dda-aec3-cb9272f09590?api-version=2022-12-01"
        );
    }
}
