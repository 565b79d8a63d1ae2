use serde_json::{Value, json};

use crate::ssh_config::Block;

/// Returns what `-o json` prints about managed hosts; scripts rely on it.
pub(super) fn of<'a>(blocks: impl Iterator<Item = &'a Block>) -> Vec<Value> {
    blocks
        .map(|block| {
            json!({
                "host": block.host,
                "resource_id": block.resource_id,
                "user": block.user,
                "route": block.route,
                "identity": block.identity,
                "profile": block.profile,
                "tenant": block.tenant,
                "port": block.port,
                "address": block.address,
                "prefer_private_ip": block.prefer_private_ip,
            })
        })
        .collect()
}
