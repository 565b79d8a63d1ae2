//! Who asks the agent, and from where: the variables that say how the network and the keyring are reached, and, for a process
//! whose variables name an account, that account.
//!
//! The agent outlives the process that started it, and its own variables are those of that process. So the agent serves
//! each request with the proxy, the roots and the D-Bus of its caller, and renews in the background with those of the last
//! caller.

use std::fmt;
use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::failure::Failure;
use crate::host::env::Env;
use crate::host::{NETWORK_VARIABLES, SESSION_BUS_VARIABLE};
use crate::keyring::Kind;
use crate::keyring::entry::Entry;
use crate::secret::SecretBytes;
use crate::session::{EnvironmentIdentity, Profile};

/// The longest value of a variable that is sent or taken, in bytes.
const MAX_VALUE_BYTES: usize = 8 * 1024;
/// The longest proof of an account that is sent or taken, in bytes; that of a certificate is the longest.
const MAX_ENTRY_BYTES: usize = 64 * 1024;

/// What a caller says about itself. A proxy's address may hold a password.
#[derive(Clone, Default, Deserialize, Serialize)]
pub(crate) struct Caller {
    variables: Vec<Variable>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    identity: Option<Box<Identity>>,
}

#[derive(Clone, Deserialize, Serialize, Zeroize, ZeroizeOnDrop)]
struct Variable {
    name: String,
    value: String,
}

#[derive(Clone, Deserialize, Serialize, Zeroize, ZeroizeOnDrop)]
struct Identity {
    #[zeroize(skip)]
    profile: Profile,
    /// In base64, what the keyring would hold.
    entry: Option<String>,
}

impl Caller {
    /// Returns what the process with these variables says, and the account that they name.
    ///
    /// # Errors
    /// [`Failure`] if a variable, or what proves the account, is too long.
    pub(crate) fn new(env: &Env, identity: Option<&EnvironmentIdentity>) -> Result<Self, Failure> {
        let variables = variables().filter_map(|name| {
            Some(Variable {
                name: name.to_owned(),
                value: env.var(name)?.to_owned(),
            })
        });
        let identity = identity.map(|identity| {
            let entry = identity.entry.as_ref().map(Entry::encode);
            Box::new(Identity {
                profile: identity.profile.clone(),
                entry: entry.map(|entry| STANDARD.encode(entry.expose())),
            })
        });
        let caller = Self {
            variables: variables.collect(),
            identity,
        };
        caller.check()?;
        Ok(caller)
    }

    /// Returns the variables; those of other names count for nothing.
    ///
    /// # Errors
    /// As [`Caller::new`].
    pub(super) fn env(&self) -> Result<Env, Failure> {
        self.check()?;
        let known = |variable: &&Variable| variables().any(|name| name == variable.name);
        let known = self.variables.iter().filter(known);
        Ok(known
            .map(|variable| (variable.name.as_str(), variable.value.as_str()))
            .collect())
    }

    /// Returns the account that the caller's variables name.
    ///
    /// # Errors
    /// [`Failure`] if what proves it cannot be read.
    pub(super) fn identity(&self) -> Result<Option<EnvironmentIdentity>, Failure> {
        let Some(identity) = &self.identity else {
            return Ok(None);
        };
        let profile = identity.profile.clone();
        let name = profile.entry(Kind::SignIn);
        let decode = |text: &String| {
            let bytes = STANDARD.decode(text).unwrap_or_default();
            Entry::decode(&name, &SecretBytes::new(bytes))
        };
        let entry = identity.entry.as_ref().map(decode).transpose()?;
        Ok(Some(EnvironmentIdentity { profile, entry }))
    }

    fn check(&self) -> Result<(), Failure> {
        let too_long = |what: &str, limit: usize| {
            Failure::new(format!("{what} is longer than {limit} bytes")).hint("shorten it")
        };
        let long = |variable: &&Variable| variable.value.len() > MAX_VALUE_BYTES;
        if let Some(variable) = self.variables.iter().find(long) {
            let what = format!("the variable `{}`", variable.name);
            return Err(too_long(&what, MAX_VALUE_BYTES));
        }
        let entry = self
            .identity
            .as_ref()
            .and_then(|identity| identity.entry.as_ref());
        if entry.is_some_and(|entry| entry.len() > MAX_ENTRY_BYTES) {
            return Err(too_long(
                "what the AZURE_ variables prove the account with",
                MAX_ENTRY_BYTES,
            ));
        }
        Ok(())
    }
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.variables.iter().map(|variable| variable.name.as_str());
        f.debug_list().entries(names).finish()
    }
}

/// Returns the names of the variables that are sent.
fn variables() -> impl Iterator<Item = &'static str> {
    NETWORK_VARIABLES
        .into_iter()
        .chain(std::iter::once(SESSION_BUS_VARIABLE))
}

/// Serializes a request without leaving copies of secrets behind: a growing buffer leaves its old memory as it was, so the length
/// is counted first.
pub(super) fn to_json(asked: &impl Serialize) -> serde_json::Result<Zeroizing<Vec<u8>>> {
    let mut length = Length(0);
    serde_json::to_writer(&mut length, asked)?;
    let mut json = Zeroizing::new(Vec::with_capacity(length.0));
    serde_json::to_writer(&mut *json, asked)?;
    Ok(json)
}

/// Counts the bytes that are written to it.
struct Length(usize);

impl io::Write for Length {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyring::Backend;
    use crate::secret::Secret;
    use crate::session::{CloudName, Flow, KeyOptions, Method};

    fn identity() -> EnvironmentIdentity {
        EnvironmentIdentity {
            profile: Profile {
                name: "default".parse().unwrap(),
                cloud: CloudName::BuiltIn("AzureCloud".to_owned()),
                tenant: "c0a70500-0000-4000-8000-000000000001".parse().unwrap(),
                account: "deploy".parse().unwrap(),
                method: Method::ClientSecret {
                    client_id: "a9911ca7-0000-4000-8000-000000000301".parse().unwrap(),
                },
                flow: Flow::default(),
                environment: Some("digest".to_owned()),
                keyring: Backend::Memory,
                keys: KeyOptions::default(),
                guest_in: Vec::new(),
            },
            entry: Some(Entry::ClientSecret(Secret::new("hunter2".to_owned()))),
        }
    }

    #[test]
    fn a_caller_says_what_the_list_names_and_nothing_else() {
        let env = Env::from([
            ("HTTPS_PROXY", "http://ada:hunter2@proxy:3128"),
            ("SSL_CERT_FILE", "/ca.pem"),
            ("AZURE_CLIENT_SECRET", "hunter2"),
            ("HOME", "/home/ada"),
        ]);
        let caller = Caller::new(&env, None).unwrap();
        let json = to_json(&caller).unwrap();
        assert_eq!(json.capacity(), json.len(), "it has not grown");
        let read: Caller = serde_json::from_slice(&json).unwrap();
        let expected = [
            ("HTTPS_PROXY", "http://ada:hunter2@proxy:3128"),
            ("SSL_CERT_FILE", "/ca.pem"),
        ];
        assert!(read.env().unwrap() == Env::from(expected));
        assert!(read.identity().unwrap().is_none());
        // Nor is anything else taken.
        let foreign = r#"{"variables":[{"name":"HOME","value":"/root"}]}"#;
        let foreign: Caller = serde_json::from_str(foreign).unwrap();
        assert!(foreign.env().unwrap() == Env::default());
    }

    #[test]
    fn an_account_gets_through_and_is_not_shown() {
        let caller = Caller::new(&Env::default(), Some(&identity())).unwrap();
        let json = to_json(&caller).unwrap();
        let read: Caller = serde_json::from_slice(&json).unwrap();
        let EnvironmentIdentity { profile, entry } = read.identity().unwrap().unwrap();
        assert_eq!(profile, identity().profile);
        assert!(matches!(entry, Some(Entry::ClientSecret(secret)) if secret.expose() == "hunter2"));
        assert!(!format!("{caller:?}").contains("hunter2"));
    }

    #[test]
    fn a_variable_may_be_as_long_as_the_limit_and_no_longer() {
        for (length, fits) in [(MAX_VALUE_BYTES, true), (MAX_VALUE_BYTES + 1, false)] {
            let value = "a".repeat(length);
            let env = Env::from([("NO_PROXY", value.as_str())]);
            assert_eq!(Caller::new(&env, None).is_ok(), fits);
        }
    }
}
