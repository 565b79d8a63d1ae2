//! ID tokens of GitHub Actions.
//!
//! <https://docs.github.com/actions/reference/security/oidc>

use serde_json::json;

use super::{GITHUB, has_bearer, issuer};
use crate::http::{Reply, Request};
use crate::world::World;

/// `GET {ACTIONS_ID_TOKEN_REQUEST_URL}&audience=…`
pub(super) fn id_token(world: &World, request: &Request) -> Reply {
    if !has_bearer(request, &world.workload_secrets.github_request_token) {
        return Reply::json(401, &json!({"message": "Invalid or missing token."}));
    }
    let audience = request
        .query
        .value("audience")
        .unwrap_or("https://github.com/contoso");
    let more = json!({
        "ref": "refs/heads/main",
        "ref_type": "branch",
        "repository": "contoso/deploy",
        "repository_owner": "contoso",
        "run_id": "1",
        "workflow": "deploy",
        "event_name": "push",
    });
    let token = issuer::assertion(world, GITHUB, audience, &more);
    Reply::json(200, &json!({"count": token.len(), "value": token}))
}
