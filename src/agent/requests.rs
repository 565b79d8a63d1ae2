//! Requests of ssh and related tools: list keys, sign, forget keys.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::timeout;

use super::account::Account;
use super::bindings::Bindings;
use super::state::Agent;
use crate::certificate::{KeyKind, SignatureAlgorithm, Unverified};
use crate::failure::{last, wrong_login_name};
use crate::openssh::agent_protocol::{FLAG_RSA_SHA2_256, FLAG_RSA_SHA2_512, OfferedKey, Response};
use crate::openssh::userauth::UserauthRequest;

/// How long ssh is kept waiting for the list of keys while a certificate is renewed.
const LIST_PATIENCE: Duration = Duration::from_secs(20);

impl Agent {
    /// Returns the certificates that may be seen through a connection, each renewed first if it is due and that can be done
    /// within ssh's patience. While the agent is locked there are none.
    pub(super) async fn offer(&self, bindings: &Bindings) -> Vec<OfferedKey> {
        let mut accounts = self.accounts_through(bindings).await;
        let mut seen = Vec::new();
        // Of accounts that variables name, only the last one requested: sshd counts every key that it refuses.
        accounts.retain(|account| {
            let session = &account.session;
            let key = (session.profile.account.clone(), session.tenant.clone());
            let is_first = session.is_stored() || !seen.contains(&key);
            seen.extend((!session.is_stored()).then_some(key));
            is_first
        });
        let offers = accounts.iter().map(|account| self.offer_of(account));
        join_all(offers).await.into_iter().flatten().collect()
    }

    async fn offer_of(&self, account: &Arc<Account>) -> Option<OfferedKey> {
        let held = account.current_certificate().await?;
        let issued = renewed_or(held, account.certificate()).await;
        Some(OfferedKey {
            blob: issued.certificate.blob().to_vec(),
            comment: account.comment(&issued, self.host.clock.now()),
        })
    }

    /// Signs, if there is such a key and this connection may use it.
    pub(super) async fn sign(
        &self,
        bindings: &Bindings,
        key: &[u8],
        data: &[u8],
        flags: u32,
    ) -> Option<Response> {
        for account in self.accounts_through(bindings).await {
            if let Some(key_pair) = account.key_pair(key).await {
                let algorithm = algorithm(key_pair.kind(), flags)?;
                if !bindings.let_sign(key, data, account.may_be_forwarded()) {
                    return None;
                }
                self.explain_login(key, data);
                return Some(Response::Signature {
                    algorithm: algorithm.name(),
                    signature: key_pair.sign(algorithm, data).ok()?,
                });
            }
        }
        None
    }

    /// Keeps for `why` that ssh logs in as another account than the certificate is for. It is signed nevertheless: the machine
    /// decides whom it lets in, and may have other names for principals.
    fn explain_login(&self, key: &[u8], data: &[u8]) {
        let Some(login) = UserauthRequest::decode(data) else {
            return;
        };
        let Ok(certificate) = Unverified::from_blob(key) else {
            return;
        };
        if let Some(certified) = certificate.principal_other_than(login.user) {
            last::keep(&self.host, &wrong_login_name(login.user, certified));
        }
    }

    /// Forgets the account that a key or certificate belongs to; returns whether there was one.
    pub(super) async fn remove(&self, bindings: &Bindings, key: &[u8]) -> bool {
        for account in self.accounts_through(bindings).await {
            if account.key_pair(key).await.is_some() {
                account.withdraw();
                return true;
            }
        }
        false
    }

    /// Forgets all accounts; returns whether that was allowed.
    pub(super) async fn remove_all(&self, bindings: &Bindings) -> bool {
        if self.passphrase_lock.is_locked() {
            return false;
        }
        for account in self.accounts_through(bindings).await {
            account.withdraw();
        }
        true
    }

    async fn accounts_through(&self, bindings: &Bindings) -> Vec<Arc<Account>> {
        if self.passphrase_lock.is_locked() {
            return Vec::new();
        }
        let mut accounts = self.accounts.all().await;
        accounts.retain(|account| {
            !account.is_withdrawn() && bindings.let_see(account.may_be_forwarded())
        });
        accounts
    }
}

/// Returns what comes of a renewal within ssh's patience, or else what is held.
async fn renewed_or<T, E>(held: T, renewal: impl Future<Output = Result<T, E>>) -> T {
    match timeout(LIST_PATIENCE, renewal).await {
        Ok(Ok(renewed)) => renewed,
        _ => held,
    }
}

/// Returns how a key is to sign. Without a flag the client asks an RSA key for SHA-1, which this agent does not do; the flags say
/// nothing about other keys.
const fn algorithm(kind: KeyKind, flags: u32) -> Option<SignatureAlgorithm> {
    match (kind, flags) {
        (KeyKind::Ed25519, _) => Some(SignatureAlgorithm::Ed25519),
        (KeyKind::Rsa { .. }, FLAG_RSA_SHA2_512) => Some(SignatureAlgorithm::RsaSha512),
        (KeyKind::Rsa { .. }, FLAG_RSA_SHA2_256) => Some(SignatureAlgorithm::RsaSha256),
        (KeyKind::Rsa { .. }, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn ssh_waits_for_a_renewal_as_long_as_the_limit_and_no_longer() {
        let after = async |time: Duration, outcome: Result<&'static str, ()>| {
            let renewal = async {
                sleep(time).await;
                outcome
            };
            renewed_or("held", renewal).await
        };
        assert_eq!(after(LIST_PATIENCE, Ok("renewed")).await, "renewed");
        let longer = LIST_PATIENCE + Duration::from_millis(1);
        assert_eq!(after(longer, Ok("renewed")).await, "held");
        assert_eq!(after(Duration::ZERO, Err(())).await, "held");
    }

    #[test]
    fn rsa_keys_sign_as_they_are_told_and_never_with_sha_1() {
        let rsa = KeyKind::default();
        assert_eq!(algorithm(rsa, 2), Some(SignatureAlgorithm::RsaSha256));
        assert_eq!(algorithm(rsa, 4), Some(SignatureAlgorithm::RsaSha512));
        for flags in [0, 1, 3, 6, u32::MAX] {
            assert_eq!(algorithm(rsa, flags), None);
            let ed25519 = algorithm(KeyKind::Ed25519, flags);
            assert_eq!(ed25519, Some(SignatureAlgorithm::Ed25519));
        }
    }
}
