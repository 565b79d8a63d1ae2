use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use azure_core::cloud::{CloudConfiguration, CustomConfiguration};
use azure_core::credentials::TokenCredential as _;
use azure_core::http::policies::{Policy, PolicyResult};
use azure_core::http::{AsyncRawResponse, Body, ClientOptions, Context, Request};
use azure_identity::{ClientSecretCredential, ClientSecretCredentialOptions};
use url::form_urlencoded;

use super::reply::read_tokens;
use super::{EntraError, Tokens, Wanted, endpoint};
use crate::cloud::Cloud;
use crate::host::http::{Http, Reply};
use crate::ids::{ClientId, TenantId};
use crate::secret::Secret;

/// A service principal that signs in with a client secret.
#[derive(Clone, Debug)]
pub struct ClientSecret {
    /// The application.
    pub client_id: ClientId,
    /// Its secret.
    pub secret: Secret,
}

/// Buys what is `wanted` with a client secret (RFC 6749, section 4.4), through `azure_identity`.
///
/// Its credentials cache by scope alone, so that a second key would be given the first key's certificate: each call makes
/// a credential of its own and drops it.
///
/// # Errors
/// [`EntraError`].
pub async fn client_credentials(
    http: &Http,
    cloud: &Cloud,
    tenant: &TenantId,
    identity: &ClientSecret,
    wanted: Wanted<'_>,
) -> Result<Tokens, EntraError> {
    let policy = Arc::new(CertificateFields::new(wanted));
    let mut custom = CustomConfiguration::default();
    custom.authority_host = cloud.authority.to_string();
    let options = ClientSecretCredentialOptions {
        client_options: ClientOptions {
            per_try_policies: vec![Arc::<CertificateFields>::clone(&policy)],
            transport: Some(http.to_transport()),
            cloud: Some(Arc::new(CloudConfiguration::from(custom))),
            ..ClientOptions::default()
        },
    };
    let secret = identity.secret.expose().to_owned();
    let credential = ClientSecretCredential::new(
        tenant.as_str(),
        identity.client_id.to_string(),
        secret.into(),
        Some(options),
    )
    .map_err(EntraError::Pipeline)?;
    let outcome = credential.get_token(&[wanted.scope(cloud)], None).await;
    match (policy.take_reply(), outcome) {
        (Some(reply), _) => read_tokens(&endpoint(cloud, tenant, "token"), &reply, wanted),
        (None, Err(error)) => Err(EntraError::Pipeline(error)),
        // A token without a reply would have come out of a cache, and a new credential has an empty one.
        (None, Ok(_)) => Err(EntraError::WrongTokenType {
            expected: "a new token",
            given: "cached".to_owned(),
        }),
    }
}

/// Adds the form fields that make a token request one for a certificate, and keeps the reply: the SDK passes on neither
/// `token_type` nor what a refusal says beyond its text.
struct CertificateFields {
    fields: String,
    reply: Mutex<Option<Reply>>,
}

impl CertificateFields {
    fn new(wanted: Wanted<'_>) -> Self {
        let fields = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(wanted.fields())
            .finish();
        Self {
            fields,
            reply: Mutex::new(None),
        }
    }

    fn take_reply(&self) -> Option<Reply> {
        self.reply
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}

impl fmt::Debug for CertificateFields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CertificateFields")
    }
}

#[expect(
    elided_lifetimes_in_paths,
    reason = "the trait's own signature elides them"
)]
#[async_trait::async_trait]
impl Policy for CertificateFields {
    async fn send(
        &self,
        context: &Context,
        request: &mut Request,
        next: &[Arc<dyn Policy>],
    ) -> PolicyResult {
        let form = request.body().clone();
        if let Body::Bytes(bytes) = &form {
            let mut extended = bytes.to_vec();
            extended.push(b'&');
            extended.extend_from_slice(self.fields.as_bytes());
            request.set_body(extended);
        }
        let response = match next.split_first() {
            Some((policy, rest)) => policy.send(context, request, rest).await,
            None => Err(azure_core::Error::with_message(
                azure_core::error::ErrorKind::Other,
                "the pipeline has no transport",
            )),
        };
        // A retry starts from the form as it was.
        request.set_body(form);
        let raw = response?.try_into_raw_response().await?;
        let (status, headers, body) = raw.deconstruct();
        let kept = Reply {
            status: status.into(),
            retry_after: None,
            body: body.to_vec().into(),
        };
        *self.reply.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept);
        Ok(AsyncRawResponse::from_bytes(status, headers, body))
    }
}
