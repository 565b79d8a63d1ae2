//! Signing in to Entra ID, and asking it for tokens and SSH certificates.
//!
//! A certificate is bought like any token, by any grant of RFC 6749, with a few more form fields that carry our public
//! key ([`CertificateRequest`]); what comes back as `access_token` is then a certificate. Flows that people take are state
//! machines over replies (`on_reply(now, reply) -> Step`) with a small driver each; service identities come from
//! `azure_identity`, whose pipeline takes a policy of ours that adds those fields.
//!
//! Nothing here decides whether a certificate can be trusted: that is [`crate::certificate`]'s part.

mod aadsts;
mod authorization_code;
mod certificate_request;
mod device_code;
mod discovery;
mod error;
mod prompt;
mod refresh;
mod refusal;
mod reply;
mod service_principal;

use url::Url;

#[cfg(test)]
pub(crate) use self::aadsts::Aadsts;
pub(crate) use self::aadsts::Meaning;
pub(crate) use self::authorization_code::{AuthorizationCode, Pasted};
pub(crate) use self::certificate_request::{CertificateRequest, Wanted};
pub(crate) use self::device_code::{begin_device_code, wait_for_device_code};
pub(crate) use self::discovery::tenant_id;
pub(crate) use self::error::EntraError;
pub(crate) use self::prompt::{Application, Prompt};
pub(crate) use self::refresh::refresh;
pub(crate) use self::refusal::{Refusal, Remedy};
pub(crate) use self::reply::{Identity, Tokens};
pub(crate) use self::service_principal::{
    AssertionError, ClientCertificate, ClientCertificateError, OidcRequest, Proof,
    ServicePrincipal, client_credentials,
};

use crate::cloud::Cloud;
use crate::ids::TenantId;

/// Returns `{authority}/{tenant}/oauth2/v2.0/{leaf}`.
fn endpoint(cloud: &Cloud, tenant: &TenantId, leaf: &str) -> Url {
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
