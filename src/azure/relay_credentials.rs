use std::time::Duration;

use azure_core::http::Method;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::refusal::Refusal;
use super::{Action, AzureError, ResourceManager, below};
use crate::hex;
use crate::ids::ResourceId;
use crate::secret::Secret;
use crate::time::UnixTime;

const API_VERSION: &str = "2023-03-15";
const ENDPOINT: &str = "/providers/Microsoft.HybridConnectivity/endpoints/default";
/// The service of Microsoft.HybridConnectivity that carries ssh.
const SERVICE: &str = "SSH";
/// The lifetime to request for credentials: the API's maximum, in seconds.
const LIFETIME: &str = "10800";

/// Credentials for connections through the relay to one machine.
#[derive(Clone, Debug)]
pub struct RelayCredentials {
    /// The relay's host, with the port if it is not 443.
    pub host: String,
    /// The hybrid connection: a path with slashes.
    pub hybrid_connection: String,
    /// A SAS token.
    pub access_key: Secret,
    /// A token that names this service to the machine's Azure agent.
    pub service_configuration_token: Option<Secret>,
    /// When they expire.
    pub expires_on: UnixTime,
}

#[derive(Serialize)]
struct ServiceName {
    #[serde(rename = "serviceName")]
    service_name: &'static str,
}

#[derive(Serialize)]
struct Properties<T> {
    properties: T,
}

#[derive(Serialize)]
struct EndpointProperties {
    #[serde(rename = "type")]
    kind: &'static str,
}

#[derive(Serialize)]
struct ServiceProperties {
    #[serde(rename = "serviceName")]
    service_name: &'static str,
    port: u16,
}

#[derive(Deserialize)]
struct Body {
    relay: Relay,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Relay {
    namespace_name: String,
    namespace_name_suffix: String,
    hybrid_connection_name: String,
    access_key: String,
    expires_on: u64,
    service_configuration_token: Option<String>,
}

impl ResourceManager {
    /// Fetches relay credentials for a machine. It first creates what a 404 or a 412 says is missing, and nothing else: a
    /// `PUT` on an endpoint that is there can drop the machine's listener.
    ///
    /// Returns the credentials, and whether something was set up, so that the machine may take a while to listen.
    ///
    /// # Errors
    /// [`AzureError`].
    pub async fn relay_credentials(
        &self,
        machine: &ResourceId,
        port: u16,
    ) -> Result<(RelayCredentials, bool), AzureError> {
        let (mut has_endpoint, mut has_service) = (false, false);
        loop {
            let reply = self.list_credentials(machine).await?;
            match u16::from(reply.status) {
                404 if !has_endpoint && Refusal::parse(&reply.body).misses_endpoint() => {
                    self.create_endpoint(machine).await?;
                    has_endpoint = true;
                }
                412 if !has_service => {
                    self.create_service_configuration(machine, port).await?;
                    has_service = true;
                }
                _ => return Ok((read(&reply, machine)?, has_endpoint || has_service)),
            }
        }
    }

    async fn list_credentials(&self, machine: &ResourceId) -> Result<super::Reply, AzureError> {
        let url = self.url(
            &below(machine, &format!("{ENDPOINT}/listCredentials")),
            &[("expiresin", LIFETIME), ("api-version", API_VERSION)],
        );
        let body = ServiceName {
            service_name: SERVICE,
        };
        self.send(Method::Post, url, Some(&body)).await
    }

    async fn create_endpoint(&self, machine: &ResourceId) -> Result<(), AzureError> {
        let url = self.url(&below(machine, ENDPOINT), &[("api-version", API_VERSION)]);
        let body = Properties {
            properties: EndpointProperties { kind: "default" },
        };
        let reply = self.send(Method::Put, url, Some(&body)).await?;
        if reply.status.is_success() {
            return Ok(());
        }
        Err(reply.refused(Action::CreateEndpoint, machine.name().as_str()))
    }

    async fn create_service_configuration(
        &self,
        machine: &ResourceId,
        port: u16,
    ) -> Result<(), AzureError> {
        let url = self.url(
            &below(
                machine,
                &format!("{ENDPOINT}/serviceConfigurations/{SERVICE}"),
            ),
            &[("api-version", API_VERSION)],
        );
        let body = Properties {
            properties: ServiceProperties {
                service_name: SERVICE,
                port,
            },
        };
        let reply = self.send(Method::Put, url, Some(&body)).await?;
        if reply.status.is_success() {
            return Ok(());
        }
        Err(reply.refused(Action::CreateServiceConfiguration, machine.name().as_str()))
    }
}

fn read(reply: &super::Reply, machine: &ResourceId) -> Result<RelayCredentials, AzureError> {
    let Body { relay } = reply.json(Action::ListRelayCredentials, machine.name().as_str())?;
    Ok(RelayCredentials {
        host: format!("{}.{}", relay.namespace_name, relay.namespace_name_suffix),
        hybrid_connection: relay.hybrid_connection_name,
        access_key: Secret::new(relay.access_key),
        service_configuration_token: relay.service_configuration_token.map(Secret::new),
        expires_on: UnixTime::from_seconds(relay.expires_on),
    })
}

impl RelayCredentials {
    /// Returns a digest that tells these credentials from others and reveals nothing of them.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let digest = Sha256::digest(format!(
            "{} {}",
            self.hybrid_connection,
            self.access_key.expose()
        ));
        hex::encode(digest.get(..16).unwrap_or_default())
    }

    /// Returns whether they can still open a connection.
    #[must_use]
    pub const fn are_live(&self, now: UnixTime) -> bool {
        const MARGIN: Duration = Duration::from_secs(60);
        now.after(MARGIN).as_seconds() < self.expires_on.as_seconds()
    }
}
