//! Pipelines that never sign in: the standard `AZURE_*` variables say who they are.

use sha2::{Digest as _, Sha256};

use crate::cloud::{BUILT_IN, Cloud};
use crate::entra::Proof;
use crate::hex;
use crate::host::Host;
use crate::host::env::Env;
use crate::ids::{Account, ClientId, ProfileName, TenantId};
use crate::keyring::{Backend, Keyring};
use crate::secret::Secret;
use crate::session::account::environment::EnvironmentIdentity;
use crate::session::cloud_name::CloudName;
use crate::session::error::{ProfileError, ProofError, SessionError, VariablesError};
use crate::session::key_options::KeyOptions;
use crate::session::profile::{Flow, Profile};
use crate::session::profiles::Profiles;
use crate::session::proof;

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

/// The account that the variables of a process name. Nothing of it is stored, and nothing is requested of Entra to read
/// them: what is wrong with them shows at the first request.
#[derive(Debug)]
pub(crate) struct Variables {
    account: Account,
    client_id: ClientId,
    proof: Proof,
    /// The tenant, by ID or domain.
    pub(crate) tenant: TenantId,
    digest: String,
}

impl Variables {
    /// Reads the variables; `None` if the profile is signed in, or if they name no account.
    ///
    /// # Errors
    /// [`VariablesError`] if one of them cannot be used.
    pub(crate) async fn read(
        host: &Host,
        name: &ProfileName,
    ) -> Result<Option<Self>, VariablesError> {
        let env = &host.env;
        let (Some(client_id), Some(tenant)) =
            (env.var("AZURE_CLIENT_ID"), env.var("AZURE_TENANT_ID"))
        else {
            return Ok(None);
        };
        match Profiles::new(&host.paths).load(name) {
            // Earlier versions stored what the variables said.
            Ok(profile) if profile.environment.is_some() => remove_stored(host, &profile).await,
            Err(ProfileError::NotFound { .. }) => {}
            _ => return Ok(None),
        }
        let client_id: ClientId = client_id.parse()?;
        let Some(proof) = proof_of(env)? else {
            return Ok(None);
        };
        Ok(Some(Self {
            account: client_id.as_str().parse()?,
            client_id,
            proof,
            tenant: tenant.parse()?,
            digest: digest(env),
        }))
    }

    /// Returns the built-in cloud whose authority `AZURE_AUTHORITY_HOST` names, if that is set.
    ///
    /// # Errors
    /// [`VariablesError`] if it names no built-in cloud.
    pub(crate) fn cloud(env: &Env) -> Result<Option<CloudName>, VariablesError> {
        let Some(host) = env.var("AZURE_AUTHORITY_HOST") else {
            return Ok(None);
        };
        let host = host.trim_start_matches("https://").trim_end_matches('/');
        if host.contains('@') {
            return Err(VariablesError::AuthorityCredentials);
        }
        let is_its_cloud = |name: &&&str| {
            Cloud::built_in(name).is_some_and(|cloud| cloud.authority.host_str() == Some(host))
        };
        match BUILT_IN.iter().find(is_its_cloud) {
            Some(name) => Ok(Some(CloudName::BuiltIn((*name).to_owned()))),
            None => Err(VariablesError::AuthorityUnknown {
                host: host.to_owned(),
            }),
        }
    }

    /// Returns the account, given its cloud and the ID of its tenant.
    pub(crate) fn into_identity(
        self,
        name: ProfileName,
        cloud: CloudName,
        tenant: TenantId,
    ) -> EnvironmentIdentity {
        let (method, entry) = proof::to_stored(self.client_id, self.proof);
        let profile = Profile {
            name,
            cloud,
            tenant,
            account: self.account,
            method,
            flow: Flow::default(),
            environment: Some(self.digest),
            keyring: Backend::Memory,
            keys: KeyOptions::default(),
            guest_in: Vec::new(),
        };
        EnvironmentIdentity { profile, entry }
    }
}

/// Removes a profile that an earlier version made of variables, and what it stored. As long as the profile is there, the next
/// command tries again what fails now.
async fn remove_stored(host: &Host, profile: &Profile) {
    let removed = async {
        let keyring = Keyring::open(profile.keyring, host).await?;
        for entry in profile.entries() {
            keyring.remove(&entry).await?;
        }
        Ok(Profiles::new(&host.paths).remove(&profile.name)?)
    };
    let outcome: Result<(), SessionError> = removed.await;
    tracing::info!(
        ?outcome,
        "removes what an earlier version stored of variables"
    );
}

/// Returns how the variables prove who the application is, in the order of the Azure SDK's own credentials.
fn proof_of(env: &Env) -> Result<Option<Proof>, ProofError> {
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
        assert!(matches!(proof_of(&env), Ok(Some(Proof::Secret(_)))));
        assert!(matches!(proof_of(&Env::default()), Ok(None)));
    }
}
