use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use azure_core::credentials::TokenCredential as _;
use azure_core::error::ErrorKind;
use azure_core::http::ClientMethodOptions;
use azure_identity::{
    ClientAssertion, ManagedIdentityCredential, ManagedIdentityCredentialOptions, UserAssignedId,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::Url;

use super::super::EntraError;
use super::{AssertionError, OidcRequest, Presented, Proof};
use crate::host::files;
use crate::host::http::{Http, HttpError, Reply};
use crate::ids::ClientId;
use crate::secret::Secret;
use crate::time::UnixTime;

/// The longest assertion that is read from a file, in bytes.
const MAX_ASSERTION_BYTES: usize = 64 * 1024;
/// The version of Azure Pipelines' endpoint for ID tokens.
const PIPELINES_API_VERSION: &str = "7.1";

/// Creates or fetches the assertion of one request.
#[derive(Debug)]
pub(super) struct Assertion {
    pub(super) proof: Proof,
    pub(super) client_id: ClientId,
    pub(super) token_url: Url,
    pub(super) audience: String,
    pub(super) http: Http,
    pub(super) now: UnixTime,
    pub(super) noted: Noted,
}

/// What the SDK does not pass on: why there was no assertion, and the claims of the last one.
#[derive(Clone, Debug, Default)]
pub(super) struct Noted(Arc<Mutex<(Option<AssertionError>, Option<Presented>)>>);

impl Noted {
    pub(super) fn take_error(&self) -> Option<AssertionError> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .0
            .take()
    }

    /// Adds the claims of the assertion to a refusal.
    pub(super) fn explain(&self, error: EntraError) -> EntraError {
        match error {
            EntraError::Refused(mut refusal) => {
                let noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                refusal.presented.clone_from(&noted.1);
                EntraError::Refused(refusal)
            }
            other => other,
        }
    }
}

#[async_trait::async_trait]
impl ClientAssertion for Assertion {
    async fn secret(&self, _: Option<ClientMethodOptions<'_>>) -> azure_core::Result<String> {
        let made = self.make().await;
        let mut noted = self.noted.0.lock().unwrap_or_else(PoisonError::into_inner);
        match made {
            Ok(assertion) => {
                noted.1 = read_claims(assertion.expose());
                Ok(assertion.expose().to_owned())
            }
            Err(error) => {
                let told =
                    azure_core::Error::with_message(ErrorKind::Credential, error.to_string());
                noted.0 = Some(error);
                Err(told)
            }
        }
    }
}

impl Assertion {
    async fn make(&self) -> Result<Secret, AssertionError> {
        match &self.proof {
            Proof::AzurePipelines {
                request,
                service_connection_id,
            } => self.ask_pipelines(request, service_connection_id).await,
            Proof::Certificate(certificate) => certificate
                .sign_assertion(&self.client_id, &self.token_url, self.now)
                .map_err(AssertionError::Certificate),
            Proof::GitHubActions(request) => self.ask_github(request).await,
            Proof::ManagedIdentity(identity) => self.ask_this_machine(identity.as_ref()).await,
            // A secret is sent as it is, and never comes here.
            Proof::Secret(secret) => Ok(secret.clone()),
            Proof::TokenFile(path) => read_token(path),
        }
    }

    /// [GitHub's documentation](https://docs.github.com/actions/reference/openid-connect-reference) of the request.
    async fn ask_github(&self, request: &OidcRequest) -> Result<Secret, AssertionError> {
        #[derive(Deserialize)]
        struct Body {
            value: String,
        }
        let mut url = request.url.clone();
        url.query_pairs_mut()
            .append_pair("audience", &self.audience);
        let reply = self.http.get(&url, Some(&request.token)).await;
        read_id_token("GitHub Actions", reply, |body: Body| body.value)
    }

    /// [Azure Pipelines' documentation](https://learn.microsoft.com/rest/api/azure/devops/distributedtask/oidctoken/create)
    /// of the request.
    async fn ask_pipelines(
        &self,
        request: &OidcRequest,
        service_connection_id: &str,
    ) -> Result<Secret, AssertionError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Body {
            oidc_token: String,
        }
        let mut url = request.url.clone();
        url.query_pairs_mut()
            .append_pair("api-version", PIPELINES_API_VERSION)
            .append_pair("serviceConnectionId", service_connection_id);
        let reply = self.http.post_empty(&url, &request.token).await;
        read_id_token("Azure Pipelines", reply, |body: Body| body.oidc_token)
    }

    async fn ask_this_machine(
        &self,
        identity: Option<&ClientId>,
    ) -> Result<Secret, AssertionError> {
        let http = Http::for_metadata().map_err(|error| {
            AssertionError::ManagedIdentity(azure_core::Error::new(ErrorKind::Credential, error))
        })?;
        let options = ManagedIdentityCredentialOptions {
            user_assigned_id: identity.map(|id| UserAssignedId::ClientId(id.to_string())),
            client_options: http.to_client_options(),
        };
        let scope = format!("{}/.default", self.audience);
        let credential = ManagedIdentityCredential::new(Some(options))
            .map_err(AssertionError::ManagedIdentity)?;
        let token = credential
            .get_token(&[&scope], None)
            .await
            .map_err(AssertionError::ManagedIdentity)?;
        Ok(Secret::new(token.token.secret().to_owned()))
    }
}

/// Reads the ID token from the reply of a pipeline's service.
fn read_id_token<Body: DeserializeOwned>(
    issuer: &'static str,
    reply: Result<Reply, HttpError>,
    token: impl FnOnce(Body) -> String,
) -> Result<Secret, AssertionError> {
    let reply = reply.map_err(|source| AssertionError::Unreachable { issuer, source })?;
    serde_json::from_slice(&reply.body)
        .map(|body| Secret::new(token(body)))
        .map_err(|_| AssertionError::Refused {
            issuer,
            status: reply.status,
        })
}

fn read_token(path: &Path) -> Result<Secret, AssertionError> {
    let text = files::read_text_if_there(path, MAX_ASSERTION_BYTES)
        .and_then(|text| text.ok_or_else(|| io::ErrorKind::NotFound.into()))
        .map_err(|source| AssertionError::File {
            path: path.to_owned(),
            source,
        })?;
    let text = Secret::new(text);
    match text.expose().trim() {
        "" => Err(AssertionError::Empty {
            path: path.to_owned(),
        }),
        token => Ok(Secret::new(token.to_owned())),
    }
}

/// Reads the claims of a JSON Web Token without checking its signature: they are only shown.
fn read_claims(token: &str) -> Option<Presented> {
    let payload = token.split('.').nth(1)?;
    let json = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    serde_json::from_slice(&json).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::files::Access;

    #[test]
    fn a_token_file_is_read_anew_each_time_and_trimmed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        assert!(matches!(
            read_token(&path),
            Err(AssertionError::File { .. })
        ));
        for (contents, expected) in [("one\n", "one"), (" two ", "two")] {
            files::write(&path, contents.as_bytes(), Access::Private).unwrap();
            assert_eq!(read_token(&path).unwrap().expose(), expected);
        }
        files::write(&path, b"\n", Access::Private).unwrap();
        assert!(matches!(
            read_token(&path),
            Err(AssertionError::Empty { .. })
        ));
    }

    #[test]
    fn a_token_says_who_it_is_from_and_for() {
        let claims = URL_SAFE_NO_PAD.encode(r#"{"iss":"i","sub":"s","aud":"a"}"#);
        let presented = read_claims(&format!("e30.{claims}.x")).unwrap();
        assert_eq!(presented.issuer, "i");
        assert_eq!(
            (presented.subject.as_str(), presented.audience.as_str()),
            ("s", "a")
        );
        assert_eq!(read_claims("nonsense"), None);
    }
}
