//! Shared access signatures.
//!
//! ```text
//! SharedAccessSignature sr={resource}&sig={signature}&se={expiry}&skn={policy}
//! signature = base64(HMAC-SHA256(key, "{resource}\n{expiry}")), everything percent-encoded
//! ```
//!
//! <https://learn.microsoft.com/azure/azure-relay/relay-authentication-and-authorization>

use ring::hmac;

use crate::encoding::{base64, decode_base64, percent_decode, percent_encode, random_bytes};

const SCHEME: &str = "SharedAccessSignature ";

/// What a token is good for; each right has a policy and a key of its own.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Right {
    Listen,
    Send,
}

impl Right {
    fn policy(self) -> &'static str {
        match self {
            Self::Listen => "listen",
            Self::Send => "send",
        }
    }
}

/// Why a token does not help.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Refusal {
    /// It is not a token at all, or its signature is not right: 401.
    Invalid,
    /// It is not good for this path and action, or no longer: 403.
    Forbidden(&'static str),
}

/// The keys of one namespace.
pub(crate) struct Policies {
    host: String,
    listen: hmac::Key,
    send: hmac::Key,
}

impl Policies {
    /// Makes keys for a namespace that is reached at `host`.
    pub(crate) fn new(host: &str) -> Self {
        let key = || hmac::Key::new(hmac::HMAC_SHA256, &random_bytes::<32>());
        Self {
            host: host.to_owned(),
            listen: key(),
            send: key(),
        }
    }

    /// Signs a token for a hybrid connection.
    pub(crate) fn sign(&self, right: Right, connection: &str, expires: u64) -> String {
        let resource = percent_encode(&format!("http://{}/{connection}/", self.host));
        let signature = hmac::sign(self.key(right), to_be_signed(&resource, expires).as_bytes());
        format!(
            "{SCHEME}sr={resource}&sig={}&se={expires}&skn={}",
            percent_encode(&base64(signature)),
            right.policy()
        )
    }

    /// Checks a token, and returns when it expires.
    pub(crate) fn check(
        &self,
        token: &str,
        right: Right,
        connection: &str,
        now: u64,
    ) -> Result<u64, Refusal> {
        let fields = Fields::parse(token).ok_or(Refusal::Invalid)?;
        let signer = [Right::Listen, Right::Send]
            .into_iter()
            .find(|signer| signer.policy() == fields.policy)
            .ok_or(Refusal::Invalid)?;
        let signature = decode_base64(&fields.signature).ok_or(Refusal::Invalid)?;
        hmac::verify(
            self.key(signer),
            to_be_signed(fields.resource, fields.expires).as_bytes(),
            &signature,
        )
        .map_err(|_| Refusal::Invalid)?;
        if fields.expires <= now {
            return Err(Refusal::Forbidden("the token has expired"));
        }
        if signer != right {
            return Err(Refusal::Forbidden("the token does not confer this right"));
        }
        if !self.covers(&percent_decode(fields.resource), connection) {
            return Err(Refusal::Forbidden("the token is for another path"));
        }
        Ok(fields.expires)
    }

    fn key(&self, right: Right) -> &hmac::Key {
        match right {
            Right::Listen => &self.listen,
            Right::Send => &self.send,
        }
    }

    /// Returns whether a resource is the namespace, the connection, or something above it.
    fn covers(&self, resource: &str, connection: &str) -> bool {
        let resource = resource.to_lowercase();
        let Some((_, rest)) = resource.split_once("://") else {
            return false;
        };
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let without_port = |host: &str| host.split(':').next().unwrap_or_default().to_owned();
        if without_port(host) != without_port(&self.host) {
            return false;
        }
        let path = path.trim_end_matches('/');
        let connection = connection.to_lowercase();
        path.is_empty()
            || connection
                .strip_prefix(path)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

fn to_be_signed(resource: &str, expires: u64) -> String {
    format!("{resource}\n{expires}")
}

/// The parts of a token; `resource` stays percent-encoded, as that is what is signed.
struct Fields<'a> {
    resource: &'a str,
    signature: String,
    expires: u64,
    policy: String,
}

impl<'a> Fields<'a> {
    fn parse(token: &'a str) -> Option<Self> {
        let fields = token.trim().strip_prefix(SCHEME)?;
        let field = |name: &str| {
            fields.split('&').find_map(|field| {
                let (key, value) = field.split_once('=')?;
                (key == name).then_some(value)
            })
        };
        Some(Self {
            resource: field("sr")?,
            signature: percent_decode(field("sig")?),
            expires: field("se")?.parse().ok()?,
            policy: percent_decode(field("skn")?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Policies, Refusal, Right};

    const NOW: u64 = 1_000;

    #[test]
    fn token_opens_its_connection_and_what_is_below() {
        let policies = Policies::new("127.0.0.1:1");
        let token = policies.sign(Right::Send, "a/b", NOW + 1);
        assert_eq!(policies.check(&token, Right::Send, "a/b", NOW), Ok(NOW + 1));
        assert_eq!(
            policies.check(&token, Right::Send, "A/b/c", NOW),
            Ok(NOW + 1)
        );
    }

    #[test]
    fn token_for_another_path_right_or_time_is_forbidden() {
        let policies = Policies::new("127.0.0.1:1");
        let token = policies.sign(Right::Send, "a/b", NOW + 1);
        let refused = |right, path, now| policies.check(&token, right, path, now).unwrap_err();
        assert!(matches!(
            refused(Right::Listen, "a/b", NOW),
            Refusal::Forbidden(_)
        ));
        assert!(matches!(
            refused(Right::Send, "a/bc", NOW),
            Refusal::Forbidden(_)
        ));
        assert!(matches!(
            refused(Right::Send, "a", NOW),
            Refusal::Forbidden(_)
        ));
        assert!(matches!(
            refused(Right::Send, "a/b", NOW + 1),
            Refusal::Forbidden(_)
        ));
    }

    #[test]
    fn token_with_a_changed_letter_or_of_another_namespace_is_invalid() {
        let policies = Policies::new("127.0.0.1:1");
        let token = policies.sign(Right::Send, "a/b", NOW + 1);
        let later = token.replace("se=1001", "se=9001");
        for bad in [later.as_str(), "", "SharedAccessSignature sr=x", "Bearer x"] {
            assert_eq!(
                policies.check(bad, Right::Send, "a/b", NOW),
                Err(Refusal::Invalid)
            );
        }
        let other = Policies::new("127.0.0.1:1").sign(Right::Send, "a/b", NOW + 1);
        assert_eq!(
            policies.check(&other, Right::Send, "a/b", NOW),
            Err(Refusal::Invalid)
        );
    }
}
