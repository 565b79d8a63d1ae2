//! `GET /metadata/endpoints`: how the Azure CLI learns of a cloud.

use serde_json::{Value, json};

use crate::entra::scope::ARM_AUDIENCE;
use crate::http::{Reply, Request};
use crate::world::World;

/// The first version that answers with full metadata; the ones before know four addresses.
const FIRST_FULL_VERSION: &str = "2018-05-01";
/// From this version on there is one cloud instead of a list.
const FIRST_SINGLE_VERSION: &str = "2022-09-01";

pub(crate) fn endpoints(world: &World, request: &Request) -> Reply {
    let version = request.query.value("api-version").unwrap_or("2015-01-01");
    let address = &world.addresses.cloud;
    let authentication = json!({
        "loginEndpoint": format!("{address}/"),
        "audiences": [ARM_AUDIENCE, "https://management.azure.com/"],
        "tenant": "common",
        "identityProvider": "AAD",
    });
    if version < FIRST_FULL_VERSION {
        return Reply::json(
            200,
            &json!({
                "galleryEndpoint": format!("{address}/gallery"),
                "graphEndpoint": format!("{address}/graph"),
                "portalEndpoint": format!("{address}/portal"),
                "authentication": authentication,
            }),
        );
    }
    let cloud = full(address, &authentication);
    let body = if version < FIRST_SINGLE_VERSION {
        json!([cloud])
    } else {
        cloud
    };
    Reply::json(200, &body)
}

fn full(address: &str, authentication: &Value) -> Value {
    json!({
        "name": "sandbox",
        "portal": format!("{address}/portal"),
        "authentication": authentication,
        "resourceManager": format!("{address}/"),
        "activeDirectory": format!("{address}/"),
        "graph": "https://graph.microsoft.com/",
        "graphAudience": "https://graph.microsoft.com/",
        "microsoftGraphResourceId": "https://graph.microsoft.com/",
        "gallery": format!("{address}/gallery"),
        "batch": "https://batch.core.windows.net/",
        "media": "https://rest.media.azure.net/",
        "sqlManagement": "https://management.core.windows.net:8443/",
        "activeDirectoryDataLake": "https://datalake.azure.net/",
        "vmImageAliasDoc": format!("{address}/aliases.json"),
        "ossrdbmsResourceId": "https://ossrdbms-aad.database.windows.net",
        "logAnalyticsResourceId": "https://api.loganalytics.io",
        "appInsightsResourceId": "https://api.applicationinsights.io",
        "synapseAnalyticsResourceId": "https://dev.azuresynapse.net",
        "attestationResourceId": "https://attest.azure.net",
        "suffixes": {
            "storage": "core.localhost",
            "keyVaultDns": "vault.localhost",
            "sqlServerHostname": "database.localhost",
            "acrLoginServer": "azurecr.localhost",
        },
    })
}
