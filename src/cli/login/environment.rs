//! Pipelines that never sign in: the standard `AZURE_*` variables say who they are.

use sha2::{Digest as _, Sha256};

use super::super::context::Context;
use super::proof::{self, to_kept};
use crate::cloud::{BUILT_IN, Cloud};
use crate::entra::Proof;
use crate::failure::Failure;
use crate::hex;
use crate::host::env::Env;
use crate::ids::{ClientId, ProfileName, TenantId};
use crate::keyring::{Backend, Keyring};
use crate::secret::Secret;
use crate::session::{
    CloudName, EnvironmentIdentity, Flow, KeyOptions, Profile, ProfileError, SessionError,
};

/// The variables that say how an application proves who it is; a change of one of them is a new sign-in.
const VARIABLES: [&str; 12] = [
    "AZURE_AUTHORITY_HOST",
    "AZURE_CLIENT_CERTIFICATE_PATH",
    "AZURE_CLIENT_ID",
    "AZURE_CLIENT_SECRET",
    "AZURE_FEDERATED_TOKEN_FILE",
    "AZURE_TENANT_ID",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
    "ACTIONS_ID_TOKEN_REQUEST_URL",
    "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID",
    "ENTRA_SSH_CLOUD",
    "SYSTEM_ACCESSTOKEN",
    "SYSTEM_OIDCREQUESTURI",
];

/// Returns the account that the variables name for a profile that nobody signed in to; none if there is such a profile, or the
/// variables name nobody. It is stored nowhere. Nothing is asked of Entra but the ID of a tenant that is named by a domain:
/// what is wrong with the variables shows at the first request.
pub(in super::super) async fn identity(
    context: &Context,
    name: &ProfileName,
) -> Result<Option<EnvironmentIdentity>, Failure> {
    let env = &context.host.env;
    let (Some(client_id), Some(tenant)) = (env.var("AZURE_CLIENT_ID"), env.var("AZURE_TENANT_ID"))
    else {
        return Ok(None);
    };
    match context.profiles().load(name) {
        // Earlier versions stored what the variables said.
        Ok(profile) if profile.environment.is_some() => remove_stored(context, &profile).await,
        Err(ProfileError::NotFound { .. }) => {}
        _ => return Ok(None),
    }
    let client_id: ClientId = client_id.parse()?;
    let Some(proof) = proof(env)? else {
        return Ok(None);
    };
    let cloud = cloud(context)?;
    let tenant = tenant_id(context, &cloud, tenant.parse()?).await?;
    let account = client_id.as_str().parse()?;
    let (method, entry) = to_kept(client_id, proof);
    let profile = Profile {
        name: name.clone(),
        cloud,
        tenant,
        account,
        method,
        flow: Flow::default(),
        environment: Some(digest(env)),
        keyring: Backend::Memory,
        keys: KeyOptions::default(),
        guest_in: Vec::new(),
    };
    Ok(Some(EnvironmentIdentity { profile, entry }))
}

/// Returns the ID of a tenant; the agent remembers those of domains.
async fn tenant_id(
    context: &Context,
    cloud: &CloudName,
    tenant: TenantId,
) -> Result<TenantId, Failure> {
    if tenant.is_id() {
        return Ok(tenant);
    }
    context.agent.tenant_id(cloud, tenant).await
}

/// Removes a profile that an earlier version made of variables, and what it stored. What cannot be removed now is tried again
/// the next time, as long as the profile is there.
async fn remove_stored(context: &Context, profile: &Profile) {
    let removed = async {
        let keyring = Keyring::open(profile.keyring, &context.host).await?;
        for entry in profile.entries() {
            keyring.remove(&entry).await?;
        }
        Ok(context.profiles().remove(&profile.name)?)
    };
    let outcome: Result<(), SessionError> = removed.await;
    tracing::info!(
        ?outcome,
        "removes what an earlier version stored of variables"
    );
}

/// Returns how the variables prove who the application is, in the order of the Azure SDK's own credentials.
fn proof(env: &Env) -> Result<Option<Proof>, Failure> {
    if let Some(secret) = env.var("AZURE_CLIENT_SECRET") {
        return Ok(Some(Proof::Secret(Secret::new(secret.to_owned()))));
    }
    if let Some(file) = proof::path(env, "AZURE_CLIENT_CERTIFICATE_PATH") {
        return proof::read_certificate(env, &file, None).map(Some);
    }
    if let Some(file) = proof::path(env, "AZURE_FEDERATED_TOKEN_FILE") {
        return proof::token_file(&file).map(Some);
    }
    if env.var("ACTIONS_ID_TOKEN_REQUEST_TOKEN").is_some() {
        return proof::github_actions(env).map(Some);
    }
    if env.var("SYSTEM_ACCESSTOKEN").is_some() {
        return proof::azure_pipelines(env, None).map(Some);
    }
    Ok(None)
}

/// Returns the cloud of `--cloud`; where none is named, the built-in one whose authority `AZURE_AUTHORITY_HOST` names.
fn cloud(context: &Context) -> Result<CloudName, Failure> {
    let Some(host) = context.host.env.var("AZURE_AUTHORITY_HOST") else {
        return context.cloud();
    };
    if context.is_cloud_named() {
        return context.cloud();
    }
    let host = host.trim_start_matches("https://").trim_end_matches('/');
    if host.contains('@') {
        return Err(
            Failure::new("`AZURE_AUTHORITY_HOST` must not hold a user name or password")
                .hint("set it to an address such as https://login.microsoftonline.us"),
        );
    }
    BUILT_IN
        .iter()
        .find(|name| {
            Cloud::built_in(name).is_some_and(|cloud| cloud.authority.host_str() == Some(host))
        })
        .map(|name| CloudName::BuiltIn((*name).to_owned()))
        .ok_or_else(|| {
            Failure::new(format!(
                "`AZURE_AUTHORITY_HOST` names `{host}`, which is no built-in cloud"
            ))
            .hint("describe it in a cloud file and name that with --cloud FILE")
        })
}

/// Returns a text that changes when a variable does, and tells nothing of it.
fn digest(env: &Env) -> String {
    let mut hash = Sha256::new();
    for name in VARIABLES {
        let value = env.var_os(name).unwrap_or_default().as_encoded_bytes();
        hash.update(name);
        hash.update(value.len().to_be_bytes());
        hash.update(value);
    }
    hex::encode(&hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_changes_with_each_variable_and_shows_none() {
        let empty = digest(&Env::default());
        for name in VARIABLES {
            let changed = digest(&Env::from([(name, "hunter2")]));
            assert_ne!(changed, empty, "{name}");
            assert!(!changed.contains("hunter2"));
        }
    }

    #[test]
    fn a_secret_counts_before_a_token_file() {
        let env = Env::from([
            ("AZURE_CLIENT_SECRET", "s"),
            ("AZURE_FEDERATED_TOKEN_FILE", "/token"),
        ]);
        assert!(matches!(proof(&env), Ok(Some(Proof::Secret(_)))));
        assert!(matches!(proof(&Env::default()), Ok(None)));
    }
}
