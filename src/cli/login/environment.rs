//! Pipelines that never sign in: the standard `AZURE_*` variables say who they are.

use std::time::Duration;

use sha2::{Digest as _, Sha256};

use super::super::context::Context;
use super::proof::{self, to_kept};
use crate::cloud::{BUILT_IN, Cloud};
use crate::entra::{self, Proof};
use crate::failure::{Failure, place_failure};
use crate::hex;
use crate::host::env::Env;
use crate::host::http::Http;
use crate::host::lock::Lock;
use crate::host::tls;
use crate::ids::{ClientId, TenantId};
use crate::keyring::Keyring;
use crate::profile::{CloudName, Flow, KeyOptions, Profile};
use crate::secret::Secret;

/// How long another process that makes the same profile is waited for.
const PATIENCE: Duration = Duration::from_secs(30);
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

/// Makes the profile of a pipeline that has not signed in, or makes it anew if the variables have changed since. Where a
/// profile was signed in, or the variables name nobody, nothing is done. Nothing is asked of Entra: what is wrong with the
/// variables is told at the first request.
pub(in super::super) async fn sign_in(context: &Context) -> Result<(), Failure> {
    let env = &context.host.env;
    let (Some(client_id), Some(tenant)) = (env.var("AZURE_CLIENT_ID"), env.var("AZURE_TENANT_ID"))
    else {
        return Ok(());
    };
    let digest = digest(env);
    let is_needed = || match context.profiles().load(&context.profile_name()) {
        Ok(profile) => profile
            .environment
            .is_some_and(|environment| environment != digest),
        Err(_) => true,
    };
    if !is_needed() {
        return Ok(());
    }
    let client_id: ClientId = client_id.parse()?;
    let Some(proof) = proof(env)? else {
        return Ok(());
    };
    let cloud_name = cloud(context)?;
    let cloud = cloud_name.open()?;
    let http = Http::new(
        &tls::client_config(cloud.ca_file.as_deref(), &context.host.env)?,
        &context.host.env,
    )?;
    let tenant = entra::tenant_id(&http, &cloud, tenant.parse::<TenantId>()?).await?;
    let keyring = Keyring::choose(context.keyring, &context.host).await?;
    let account = client_id.as_str().parse()?;
    let (method, entry) = to_kept(client_id, proof);
    // Of many processes that begin together, the first makes the profile.
    let name = format!("environment-{}", context.profile_name());
    let _lock = Lock::take(&context.host.paths.locks(), &name, PATIENCE)
        .await
        .map_err(|error| place_failure("cannot take the lock for the profile", &error))?;
    if !is_needed() {
        return Ok(());
    }
    let profile = Profile {
        name: context.profile_name(),
        cloud: cloud_name,
        tenant,
        account,
        method,
        flow: Flow::default(),
        environment: Some(digest),
        keyring: keyring.backend(),
        keys: KeyOptions::default(),
        guest_in: Vec::new(),
    };
    super::keep(context, &profile, &keyring, entry.as_ref()).await
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
