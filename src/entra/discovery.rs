use serde::Deserialize;
use url::Url;

use super::EntraError;
use super::reply::{read_refusal, unintelligible};
use crate::cloud::Cloud;
use crate::host::http::Http;
use crate::ids::TenantId;

#[derive(Deserialize)]
struct Configuration {
    issuer: String,
}

/// Returns the ID of a tenant, which may be named by one of its domains; an ID is returned unchanged. Everything stored and
/// compared uses the ID.
///
/// # Errors
/// [`EntraError`]; [`EntraError::Refused`] if the tenant does not exist.
pub(crate) async fn tenant_id(
    http: &Http,
    cloud: &Cloud,
    tenant: TenantId,
) -> Result<TenantId, EntraError> {
    if tenant.is_id() {
        return Ok(tenant);
    }
    let url = configuration_url(cloud, &tenant);
    let reply = http.get(&url, None).await?;
    if reply.status != 200 {
        return Err(read_refusal(&url, &reply));
    }
    serde_json::from_slice::<Configuration>(&reply.body)
        .ok()
        .and_then(|configuration| tenant_of_issuer(&configuration.issuer))
        .ok_or_else(|| unintelligible(&url, &reply))
}

/// Returns `{authority}/{tenant}/v2.0/.well-known/openid-configuration` (`OpenID` Connect Discovery, section 4).
fn configuration_url(cloud: &Cloud, tenant: &TenantId) -> Url {
    let mut url = cloud.authority.clone();
    // An https address can always be a base, so the path can be set.
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().extend([
            tenant.as_str(),
            "v2.0",
            ".well-known",
            "openid-configuration",
        ]);
    }
    url
}

/// Returns the tenant of `https://login.microsoftonline.com/{tenant}/v2.0`.
fn tenant_of_issuer(issuer: &str) -> Option<TenantId> {
    let url = Url::parse(issuer).ok()?;
    let tenant: TenantId = url.path_segments()?.rev().nth(1)?.parse().ok()?;
    Some(tenant).filter(TenantId::is_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tenant_stands_in_the_issuer() {
        let issuer = "https://login.microsoftonline.com/72f988bf-86f1-41af-91ab-2d7cd011db47/v2.0";
        assert_eq!(
            tenant_of_issuer(issuer).unwrap().as_str(),
            "72f988bf-86f1-41af-91ab-2d7cd011db47"
        );
        assert_eq!(tenant_of_issuer("https://login.example/common/v2.0"), None);
        assert_eq!(tenant_of_issuer("nonsense"), None);
    }

    #[test]
    fn it_is_asked_for_below_the_authority() {
        let cloud = Cloud::built_in("AzureCloud").unwrap();
        assert_eq!(
            configuration_url(&cloud, &"contoso.com".parse().unwrap()).as_str(),
            "https://login.microsoftonline.com/contoso.com/v2.0/.well-known/openid-configuration"
        );
    }
}
