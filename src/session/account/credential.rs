use url::Url;

use super::Session;
use crate::entra::{ClientCertificate, OidcRequest, Proof, ServicePrincipal};
use crate::ids::ClientId;
use crate::keyring::Kind;
use crate::keyring::entry::Entry;
use crate::secret::Secret;
use crate::session::error::SessionError;
use crate::session::profile::{Method, Profile};

/// What speaks for an account.
pub(super) enum Credential {
    User(Secret),
    ServicePrincipal(ServicePrincipal),
}

impl Session {
    /// Returns what speaks for the account: what is kept for this tenant, or else for the one that was signed in to.
    pub(super) async fn credential(&self) -> Result<Credential, SessionError> {
        let principal = |client_id: &ClientId, proof| {
            Credential::ServicePrincipal(ServicePrincipal {
                client_id: client_id.clone(),
                proof,
            })
        };
        // These keep nothing in the keyring.
        match &self.profile.method {
            Method::ManagedIdentity {
                client_id,
                identity,
            } => {
                return Ok(principal(
                    client_id,
                    Proof::ManagedIdentity(identity.clone()),
                ));
            }
            Method::TokenFile { client_id, file } => {
                return Ok(principal(client_id, Proof::TokenFile(file.clone())));
            }
            _ => {}
        }
        match (&self.profile.method, self.load_sign_in().await?) {
            (Method::User, Entry::RefreshToken(token)) => Ok(Credential::User(token)),
            (Method::ClientSecret { client_id }, Entry::ClientSecret(secret)) => {
                Ok(principal(client_id, Proof::Secret(secret)))
            }
            (
                Method::ClientCertificate { client_id },
                Entry::ClientCertificate { key, certificate },
            ) => {
                let certificate = ClientCertificate { key, certificate };
                Ok(principal(client_id, Proof::Certificate(certificate)))
            }
            (Method::GithubActions { client_id }, Entry::OidcRequest { url, token }) => {
                let request = self.oidc_request(&url, token)?;
                Ok(principal(client_id, Proof::GitHubActions(request)))
            }
            (
                Method::AzurePipelines {
                    client_id,
                    service_connection_id,
                },
                Entry::OidcRequest { url, token },
            ) => {
                let proof = Proof::AzurePipelines {
                    request: self.oidc_request(&url, token)?,
                    service_connection_id: service_connection_id.clone(),
                };
                Ok(principal(client_id, proof))
            }
            _ => Err(self.signed_out()),
        }
    }

    fn oidc_request(&self, url: &Secret, token: Secret) -> Result<OidcRequest, SessionError> {
        let url = Url::parse(url.expose()).map_err(|_| self.signed_out())?;
        Ok(OidcRequest { url, token })
    }

    async fn load_sign_in(&self) -> Result<Entry, SessionError> {
        let names = [self.entry(Kind::SignIn), self.profile.entry(Kind::SignIn)];
        for name in names {
            let stored = self.keyring().load(&name).await?;
            if let Some(newer) = self.unsaved.newer_than(&name, stored.as_ref()) {
                return Ok(newer);
            }
            if let Some(bytes) = stored {
                return Ok(Entry::decode(&name, &bytes)?);
            }
        }
        Err(self.signed_out())
    }

    fn signed_out(&self) -> SessionError {
        let Profile { name, account, .. } = &self.profile;
        SessionError::SignedOut {
            account: account.clone(),
            backend: self.keyring().backend(),
            profile: name.clone(),
        }
    }
}
