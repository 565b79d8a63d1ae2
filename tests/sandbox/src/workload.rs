//! Where pipelines and machines get an identity from: the OIDC services of GitHub Actions and Azure
//! Pipelines, a Kubernetes token file, and the endpoints of managed identities.
//!
//! ```text
//! https://localhost:A/workload/github/idtoken            GET,  bearer, &audience=…
//! https://localhost:A/workload/azure-pipelines/oidctoken POST, bearer, ?api-version=7.1&serviceConnectionId=…
//! http://127.0.0.1:F/msi/token                           App Service
//! http://127.0.0.1:F/metadata/identity/oauth2/token      IMDS of a VM
//! http://localhost:F/oauth2/token                        Cloud Shell
//! ```

mod azure_pipelines;
pub(crate) mod certificate;
mod github;
mod issuer;
pub(crate) mod kubernetes;
mod managed_identity;

use hyper::Method;
use serde_json::json;

use crate::encoding::{base64url, random_bytes};
use crate::http::{Reply, Request};
use crate::world::World;

pub(crate) use issuer::key;
pub(crate) use managed_identity::answer as answer_plain;

/// The audience of tokens that are exchanged for Entra's.
pub(crate) const EXCHANGE_AUDIENCE: &str = "api://AzureADTokenExchange";
/// Issuer and subject of a workflow's tokens.
pub(crate) const GITHUB: (&str, &str) = (
    "https://token.actions.githubusercontent.com",
    "repo:contoso/deploy:ref:refs/heads/main",
);
/// Issuer and subject of a service connection's tokens.
pub(crate) const AZURE_PIPELINES: (&str, &str) = (
    "https://vstoken.dev.azure.com/c0a70500-0000-4000-8000-000000000501",
    "sc://contoso/web/production",
);
/// Issuer and subject of a service account's tokens.
pub(crate) const KUBERNETES: (&str, &str) = (
    "https://westeurope.oic.prod-aks.azure.com/c0a70500-0000-4000-8000-000000000502/",
    "system:serviceaccount:deploy:runner",
);

/// What only a job of the right kind knows; made anew at every start.
pub(crate) struct Secrets {
    pub(crate) github_request_token: String,
    pub(crate) system_access_token: String,
    pub(crate) identity_header: String,
}

impl Secrets {
    pub(crate) fn new() -> Self {
        let secret = || base64url(random_bytes::<32>());
        Self {
            github_request_token: secret(),
            system_access_token: secret(),
            identity_header: secret(),
        }
    }
}

/// A place where programs run with an identity that they need no secret for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Workload {
    /// An app of App Service with a managed identity.
    AppService,
    /// A job of Azure Pipelines with a service connection.
    AzurePipelines,
    /// Azure Cloud Shell, where the identity is the person's.
    CloudShell,
    /// A job of GitHub Actions that may ask for ID tokens.
    GitHubActions,
    /// A pod of Kubernetes with a service account token.
    Kubernetes,
    /// A virtual machine with a managed identity.
    VirtualMachine,
}

impl Workload {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::AppService,
        Self::AzurePipelines,
        Self::CloudShell,
        Self::GitHubActions,
        Self::Kubernetes,
        Self::VirtualMachine,
    ];

    /// Returns the word that the sandbox's description has for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::AppService => "app-service",
            Self::AzurePipelines => "azure-pipelines",
            Self::CloudShell => "cloud-shell",
            Self::GitHubActions => "github-actions",
            Self::Kubernetes => "kubernetes",
            Self::VirtualMachine => "virtual-machine",
        }
    }
}

fn cloud_shell(port: u16) -> Vec<(&'static str, String)> {
    let endpoint = format!("http://localhost:{port}/oauth2/token");
    vec![
        ("AZUREPS_HOST_ENVIRONMENT", "cloud-shell/1.0".to_owned()),
        ("MSI_ENDPOINT", endpoint),
    ]
}

/// Returns the environment variables that such a place gives a program.
pub(crate) fn environment(world: &World, workload: Workload) -> Vec<(&'static str, String)> {
    let tls = &world.addresses.cloud;
    let plain = world.addresses.plain_port;
    let secrets = &world.workload_secrets;
    let pipeline = world.options.service_principals.iter();
    let mut pipeline = pipeline.filter(|principal| principal.display_name == "pipeline");
    let (client_id, tenant) = pipeline.next().map_or_else(Default::default, |principal| {
        (principal.client_id.clone(), principal.tenant.clone())
    });
    match workload {
        Workload::AppService => vec![
            (
                "IDENTITY_ENDPOINT",
                format!("http://127.0.0.1:{plain}/msi/token"),
            ),
            ("IDENTITY_HEADER", secrets.identity_header.clone()),
        ],
        Workload::AzurePipelines => vec![
            (
                "SYSTEM_OIDCREQUESTURI",
                format!("{tls}/workload/azure-pipelines/oidctoken"),
            ),
            ("SYSTEM_ACCESSTOKEN", secrets.system_access_token.clone()),
            ("AZURESUBSCRIPTION_CLIENT_ID", client_id),
            ("AZURESUBSCRIPTION_TENANT_ID", tenant),
            (
                "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID",
                azure_pipelines::SERVICE_CONNECTION.to_owned(),
            ),
        ],
        Workload::CloudShell => cloud_shell(plain),
        Workload::GitHubActions => vec![
            ("GITHUB_ACTIONS", "true".to_owned()),
            (
                "ACTIONS_ID_TOKEN_REQUEST_URL",
                format!("{tls}/workload/github/idtoken?api-version=2.0"),
            ),
            (
                "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
                secrets.github_request_token.clone(),
            ),
        ],
        Workload::Kubernetes => vec![
            ("AZURE_AUTHORITY_HOST", format!("{tls}/")),
            ("AZURE_CLIENT_ID", client_id),
            ("AZURE_TENANT_ID", tenant),
            (
                "AZURE_FEDERATED_TOKEN_FILE",
                kubernetes::file(world).display().to_string(),
            ),
        ],
        // The address that machines use, 169.254.169.254, is not the sandbox's to have.
        Workload::VirtualMachine => vec![(
            "AZURE_POD_IDENTITY_AUTHORITY_HOST",
            format!("http://127.0.0.1:{plain}"),
        )],
    }
}

/// Returns whether a path is of these services.
pub(crate) fn owns(request: &Request) -> bool {
    request
        .segments
        .first()
        .is_some_and(|first| first == "workload")
}

/// Answers a request to one of the services that are reached over TLS.
pub(crate) fn answer(world: &World, request: &Request) -> Reply {
    let segments: Vec<&str> = request.segments.iter().map(String::as_str).collect();
    match (&request.method, segments.as_slice()) {
        (&Method::GET, ["workload", "github", "idtoken"]) => github::id_token(world, request),
        (&Method::POST, ["workload", "azure-pipelines", "oidctoken"]) => {
            azure_pipelines::oidc_token(world, request)
        }
        _ => Reply::json(404, &json!({"message": "Not found."})),
    }
}

/// Returns whether a request carries that bearer token.
fn has_bearer(request: &Request, token: &str) -> bool {
    request
        .header("authorization")
        .and_then(|header| header.split_once(' '))
        .is_some_and(|(scheme, value)| {
            scheme.eq_ignore_ascii_case("bearer") && value.trim() == token
        })
}
