use azure_core::http::Method;
use serde::{Deserialize, Serialize};

use super::{Action, AzureError, ResourceManager};
use crate::ids::{MachineKind, MachineName, ResourceGroup, ResourceId, SubscriptionId};

/// How many machines of one name are listed at most.
const MAX_MATCHES: u32 = 50;

#[derive(Serialize)]
struct Question<'a> {
    query: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    subscriptions: &'a [SubscriptionId],
    options: Options,
}

#[derive(Serialize)]
struct Options {
    #[serde(rename = "$top")]
    top: u32,
    #[serde(rename = "resultFormat")]
    result_format: &'static str,
}

#[derive(Deserialize)]
struct Rows {
    data: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    id: String,
}

impl ResourceManager {
    /// Finds the machines of a name with one request to Resource Graph: in these subscriptions, or in all that the account
    /// sees; in this resource group, or in any.
    ///
    /// # Errors
    /// [`AzureError`].
    pub async fn find_machines(
        &self,
        name: &MachineName,
        group: Option<&ResourceGroup>,
        subscriptions: &[SubscriptionId],
    ) -> Result<Vec<ResourceId>, AzureError> {
        let query = query(name, group);
        let url = self.url(
            "/providers/Microsoft.ResourceGraph/resources",
            &[("api-version", "2022-10-01")],
        );
        let body = Question {
            query: &query,
            subscriptions,
            options: Options {
                top: MAX_MATCHES,
                result_format: "objectArray",
            },
        };
        let reply = self.send(Method::Post, url, Some(&body)).await?;
        let rows: Rows = reply.json(Action::ListMachines, name.as_str())?;
        Ok(rows
            .data
            .iter()
            .filter_map(|row| row.id.parse().ok())
            .collect())
    }
}

/// Returns the query in KQL. Names hold no quote: their types say so.
fn query(name: &MachineName, group: Option<&ResourceGroup>) -> String {
    let types: Vec<String> = MachineKind::ALL
        .iter()
        .map(|kind| format!("'{}'", kind.resource_type().to_lowercase()))
        .collect();
    let group = group.map_or(String::new(), |group| {
        format!(" | where resourceGroup =~ '{group}'")
    });
    format!(
        "resources | where type in~ ({}) | where name =~ '{name}'{group} | project id",
        types.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_asks_for_machines_of_the_name_alone() {
        let (name, group) = ("web01".parse().unwrap(), "rg-web".parse().unwrap());
        let query = query(&name, Some(&group));
        assert!(
            query.starts_with("resources | where type in~ ('microsoft.hybridcompute/machines', ")
        );
        assert!(
            query.ends_with(
                " | where name =~ 'web01' | where resourceGroup =~ 'rg-web' | project id"
            )
        );
    }
}
