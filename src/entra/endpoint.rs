use url::Url;

use crate::cloud::Cloud;
use crate::ids::TenantId;

/// Returns `{authority}/{tenant}/oauth2/v2.0/{leaf}`.
pub(super) fn endpoint(cloud: &Cloud, tenant: &TenantId, leaf: &str) -> Url {
    let mut url = cloud.authority.clone();
    // An https address can always be a base, so the path can be set.
    if let Ok(mut segments) = url.path_segments_mut() {
        segments
            .pop_if_empty()
            .extend([tenant.as_str(), "oauth2", "v2.0", leaf]);
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_built_from_authority_and_tenant() {
        let mut cloud = Cloud::built_in("AzureCloud").unwrap();
        let tenant: TenantId = "contoso.com".parse().unwrap();
        let expected = "https://login.microsoftonline.com/contoso.com/oauth2/v2.0/token";
        assert_eq!(endpoint(&cloud, &tenant, "token").as_str(), expected);
        cloud.authority = Url::parse("https://localhost:8443/entra/").unwrap();
        assert_eq!(
            endpoint(&cloud, &tenant, "devicecode").as_str(),
            "https://localhost:8443/entra/contoso.com/oauth2/v2.0/devicecode"
        );
    }
}
