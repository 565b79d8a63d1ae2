mod assertion;
mod assertion_error;
mod certificate_fields;
mod client_certificate;
mod proof;

use std::sync::Arc;

use azure_core::cloud::{CloudConfiguration, CustomConfiguration};
use azure_core::credentials::TokenCredential;
use azure_core::http::ClientOptions;
use azure_identity::{
    ClientAssertionCredential, ClientAssertionCredentialOptions, ClientSecretCredential,
    ClientSecretCredentialOptions,
};

use self::assertion::{Assertion, Noted};
use self::certificate_fields::CertificateFields;
use super::reply::read_tokens;
use super::{EntraError, Tokens, Wanted, endpoint};
use crate::cloud::Cloud;
use crate::host::http::Http;
use crate::ids::{ClientId, TenantId};
use crate::secret::Secret;
use crate::time::UnixTime;

pub(crate) use self::assertion_error::{AssertionError, Presented};
pub(crate) use self::client_certificate::{ClientCertificate, ClientCertificateError};
pub(crate) use self::proof::{OidcRequest, Proof};

/// An application that signs in on its own.
#[derive(Clone, Debug)]
pub(crate) struct ServicePrincipal {
    pub client_id: ClientId,
    /// How it proves that it is the application.
    pub proof: Proof,
}

/// Acquires what is `wanted` as an application (RFC 6749, section 4.4), through `azure_identity`.
///
/// Its credentials cache by scope only, so that a second key would get the first key's certificate: each call creates a
/// credential of its own and drops it.
///
/// # Errors
/// [`EntraError`].
pub(crate) async fn client_credentials(
    http: &Http,
    cloud: &Cloud,
    tenant: &TenantId,
    principal: &ServicePrincipal,
    wanted: Wanted<'_>,
    now: UnixTime,
) -> Result<Tokens, EntraError> {
    let policy = Arc::new(CertificateFields::new(wanted));
    let mut custom = CustomConfiguration::default();
    custom.authority_host = cloud.authority.to_string();
    let client_options = ClientOptions {
        per_try_policies: vec![Arc::<CertificateFields>::clone(&policy)],
        cloud: Some(Arc::new(CloudConfiguration::from(custom))),
        ..http.to_client_options()
    };
    let token_url = endpoint(cloud, tenant, "token");
    let noted = Noted::default();
    let credential: Arc<dyn TokenCredential> = match &principal.proof {
        Proof::Secret(secret) => with_secret(tenant, principal, secret, client_options)?,
        proof => {
            let assertion = Assertion {
                proof: proof.clone(),
                client_id: principal.client_id.clone(),
                token_url: token_url.clone(),
                audience: cloud.token_exchange_audience.clone(),
                http: http.clone(),
                now,
                noted: noted.clone(),
            };
            with_assertion(tenant, principal, assertion, client_options)?
        }
    };
    let outcome = credential.get_token(&[wanted.scope(cloud)], None).await;
    match (policy.take_reply(), noted.take_error(), outcome) {
        (Some(reply), _, _) => {
            read_tokens(&token_url, &reply, wanted).map_err(|error| noted.explain(error))
        }
        (None, Some(error), _) => Err(EntraError::Assertion(error)),
        (None, None, Err(error)) => Err(EntraError::Pipeline(error)),
        // A token without a reply would have come out of a cache, and a new credential has an empty one.
        (None, None, Ok(_)) => Err(EntraError::WrongTokenType {
            expected: "a new token",
            given: "cached".into(),
        }),
    }
}

fn with_secret(
    tenant: &TenantId,
    principal: &ServicePrincipal,
    secret: &Secret,
    client_options: ClientOptions,
) -> Result<Arc<dyn TokenCredential>, EntraError> {
    let credential = ClientSecretCredential::new(
        tenant.as_str(),
        principal.client_id.to_string(),
        secret.expose().to_owned().into(),
        Some(ClientSecretCredentialOptions { client_options }),
    );
    Ok(credential.map_err(EntraError::Pipeline)?)
}

fn with_assertion(
    tenant: &TenantId,
    principal: &ServicePrincipal,
    assertion: Assertion,
    client_options: ClientOptions,
) -> Result<Arc<dyn TokenCredential>, EntraError> {
    let credential = ClientAssertionCredential::new(
        tenant.to_string(),
        principal.client_id.to_string(),
        assertion,
        Some(ClientAssertionCredentialOptions { client_options }),
    );
    Ok(credential.map_err(EntraError::Pipeline)?)
}
