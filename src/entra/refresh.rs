use super::prompt::SIGN_IN_SCOPES;
use super::reply::read_tokens;
use super::{EntraError, Tokens, Wanted, endpoint};
use crate::cloud::Cloud;
use crate::host::http::Http;
use crate::ids::TenantId;
use crate::secret::Secret;

/// Acquires what is `wanted` with a refresh token (RFC 6749, section 6). A new refresh token in the reply replaces this one.
///
/// # Errors
/// [`EntraError`].
pub(crate) async fn refresh(
    http: &Http,
    cloud: &Cloud,
    tenant: &TenantId,
    refresh_token: &Secret,
    wanted: Wanted<'_>,
) -> Result<Tokens, EntraError> {
    let url = endpoint(cloud, tenant, "token");
    let scope = format!("{} {SIGN_IN_SCOPES}", wanted.scope(cloud));
    let mut form = vec![
        ("grant_type", "refresh_token"),
        ("client_id", cloud.client_id.as_str()),
        ("refresh_token", refresh_token.expose()),
        ("scope", &scope),
    ];
    let fields = wanted.fields();
    form.extend(fields.iter().map(|(name, value)| (*name, value.as_ref())));
    let reply = http.post_form(&url, &form).await?;
    read_tokens(&url, &reply, wanted)
}
