use std::path::PathBuf;

use url::Url;

use super::ClientCertificate;
use crate::ids::ClientId;
use crate::secret::Secret;

/// How an application proves who it is: by a secret, or by a client assertion (RFC 7523), which is created or fetched for every
/// request.
#[derive(Clone, Debug)]
pub(crate) enum Proof {
    /// A token that Azure Pipelines issues for a service connection.
    AzurePipelines {
        /// Where to request it.
        request: OidcRequest,
        /// The service connection.
        service_connection_id: String,
    },
    /// An assertion signed with the key of a certificate.
    Certificate(ClientCertificate),
    /// A token that GitHub issues for a workflow run.
    GitHubActions(OidcRequest),
    /// A token for a managed identity of this machine, which the application trusts: the system's own or, by its client ID,
    /// a user-assigned one.
    ManagedIdentity(Option<ClientId>),
    /// A client secret.
    Secret(Secret),
    /// A token in a file, which another program renews: Kubernetes, for example.
    TokenFile(PathBuf),
}

/// Where a pipeline requests an ID token of its own.
#[derive(Clone, Debug)]
pub(crate) struct OidcRequest {
    pub url: Url,
    /// The bearer token for it.
    pub token: Secret,
}
