//! Which sessions a connection to the agent is for, and what may be signed through it.
//!
//! OpenSSH's client (8.9 and newer) says on each connection to which host the agent's answer goes
//! (`session-bind@openssh.com`), and says so itself before a forwarded connection is handed to the other side. From then
//! on the key signs logins of that session alone. A connection of a client that does not say so is taken as local.

use crate::openssh::host_key::{self, Verdict};
use crate::openssh::session_bind::SessionBind;
use crate::openssh::userauth::UserauthRequest;

/// How many sessions one connection can be bound to: as many hops may a forwarded connection go; OpenSSH's own limit.
pub(super) const MAX_BINDINGS: usize = 16;

/// The sessions that a connection is bound to, the nearest host first.
#[derive(Debug, Default)]
pub(super) struct Bindings {
    held: Vec<Binding>,
    /// A binding with a wrong signature was tried.
    is_tainted: bool,
}

#[derive(Debug)]
struct Binding {
    host_key: Vec<u8>,
    session_id: Vec<u8>,
    is_forwarding: bool,
}

impl Bindings {
    /// Records a binding, and returns whether it is valid.
    pub(super) fn bind(&mut self, contents: &[u8]) -> bool {
        let Some(bind) = SessionBind::decode(contents) else {
            self.is_tainted = true;
            return false;
        };
        match host_key::verify(bind.host_key, bind.session_id, bind.signature) {
            Verdict::Holds => self.add(&bind),
            // A rare kind of host key must not make logins fail: the agent treats the connection as one of an older
            // client. But if it is forwarded, the other machine must not profit from a host key that the agent cannot read.
            Verdict::Unsupported if self.held.is_empty() && !bind.is_forwarding => false,
            Verdict::Fails | Verdict::Unsupported => {
                self.is_tainted = true;
                false
            }
        }
    }

    fn add(&mut self, bind: &SessionBind<'_>) -> bool {
        let same_session = |held: &&Binding| held.session_id == bind.session_id;
        if let Some(held) = self.held.iter().find(same_session) {
            return held.host_key == bind.host_key && held.is_forwarding == bind.is_forwarding;
        }
        // What is bound to a login is bound to it for good.
        let goes_on = self.held.last().is_none_or(|last| last.is_forwarding);
        if !goes_on || self.held.len() >= MAX_BINDINGS {
            return false;
        }
        self.held.push(Binding {
            host_key: bind.host_key.to_vec(),
            session_id: bind.session_id.to_vec(),
            is_forwarding: bind.is_forwarding,
        });
        true
    }

    /// Returns whether a key may be listed through this connection.
    pub(super) fn let_see(&self, may_be_forwarded: bool) -> bool {
        !self.is_tainted && (may_be_forwarded || !self.is_forwarded())
    }

    /// Returns whether another machine is at the other end.
    pub(super) fn is_forwarded(&self) -> bool {
        self.held.iter().any(|held| held.is_forwarding)
    }

    /// Returns whether this connection may lock and unlock the agent and remove keys from it: that is for the programs of this
    /// machine, which ask over connections that are bound to no session. Another machine, which `ssh -A` lends the agent to,
    /// could lock its owner out.
    pub(super) const fn let_manage(&self) -> bool {
        !self.is_tainted && self.held.is_empty()
    }

    /// Returns whether a key may sign `data` through this connection: on one that is bound, a login of the last session that it
    /// was bound to, and nothing else.
    pub(super) fn let_sign(&self, key: &[u8], data: &[u8], may_be_forwarded: bool) -> bool {
        if !self.let_see(may_be_forwarded) {
            return false;
        }
        let Some(last) = self.held.last() else {
            return true;
        };
        UserauthRequest::decode(data).is_some_and(|login| {
            !last.is_forwarding
                && login.session_id == last.session_id
                && login.key == key
                && login
                    .host_key
                    .is_none_or(|host_key| host_key == last.host_key)
        })
    }
}

#[cfg(test)]
mod tests {
    use ring::rand::SystemRandom;
    use ring::signature::{Ed25519KeyPair, KeyPair as _};

    use super::*;
    use crate::openssh::userauth::tests::request;
    use crate::rfc4251::Writer;

    struct HostKey(Ed25519KeyPair);

    impl HostKey {
        fn new() -> Self {
            let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
            Self(Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap())
        }

        fn blob(&self) -> Vec<u8> {
            let public = self.0.public_key().as_ref();
            Writer::new()
                .string(b"ssh-ed25519")
                .string(public)
                .into_bytes()
        }

        fn bind(&self, session_id: &[u8], is_forwarding: bool) -> Vec<u8> {
            let signature = Writer::new()
                .string(b"ssh-ed25519")
                .string(self.0.sign(session_id).as_ref())
                .into_bytes();
            bind(&self.blob(), session_id, &signature, is_forwarding)
        }
    }

    fn bind(key: &[u8], session_id: &[u8], signature: &[u8], is_forwarding: bool) -> Vec<u8> {
        Writer::new()
            .string(key)
            .string(session_id)
            .string(signature)
            .byte(u8::from(is_forwarding))
            .into_bytes()
    }

    #[test]
    fn without_a_binding_anything_is_signed() {
        let bindings = Bindings::default();
        assert!(bindings.let_sign(b"key", b"SSHSIG", false));
        assert!(bindings.let_sign(b"key", &request(b"any", b"key", None), false));
    }

    #[test]
    fn a_bound_connection_signs_logins_of_its_session_alone() {
        let host = HostKey::new();
        let mut bindings = Bindings::default();
        assert!(bindings.bind(&host.bind(b"one", false)));
        assert!(bindings.bind(&host.bind(b"one", false)), "said twice");
        let signs = |data: &[u8]| bindings.let_sign(b"key", data, false);
        assert!(signs(&request(b"one", b"key", None)));
        assert!(signs(&request(b"one", b"key", Some(&host.blob()))));
        assert!(!signs(&request(b"two", b"key", None)), "another session");
        assert!(!signs(&request(b"one", b"yek", None)), "another key");
        let other_host = HostKey::new().blob();
        assert!(!signs(&request(b"one", b"key", Some(&other_host))));
        assert!(!signs(b"SSHSIG"), "no login");
        assert!(!bindings.bind(&host.bind(b"two", false)), "bound for good");
        assert!(!bindings.let_sign(b"key", &request(b"two", b"key", None), false));
    }

    #[test]
    fn a_forwarded_connection_signs_only_if_the_profile_allows_it() {
        let (first, second) = (HostKey::new(), HostKey::new());
        let mut bindings = Bindings::default();
        assert!(bindings.bind(&first.bind(b"one", true)));
        let login = request(b"one", b"key", None);
        assert!(!bindings.let_see(false) && bindings.let_see(true));
        assert!(!bindings.let_sign(b"key", &login, false));
        assert!(
            !bindings.let_sign(b"key", &login, true),
            "forwarded to, not logged in to"
        );
        assert!(bindings.bind(&second.bind(b"two", false)));
        let onwards = request(b"two", b"key", Some(&second.blob()));
        assert!(!bindings.let_sign(b"key", &onwards, false));
        assert!(bindings.let_sign(b"key", &onwards, true));
    }

    #[test]
    fn a_binding_that_does_not_hold_ends_all_signing() {
        let host = HostKey::new();
        let forged = {
            let mut bytes = host.bind(b"one", false);
            let last = bytes.len() - 2;
            bytes[last] ^= 1;
            bytes
        };
        let rare_key = Writer::new().string(b"ecdsa-sha2-nistp521").into_bytes();
        let rare = |is_forwarding| {
            let signature = Writer::new()
                .string(b"ecdsa-sha2-nistp521")
                .string(b"")
                .into_bytes();
            bind(&rare_key, b"one", &signature, is_forwarding)
        };
        for contents in [&forged, &rare(true), &b"nonsense".to_vec()] {
            let mut bindings = Bindings::default();
            assert!(!bindings.bind(contents));
            assert!(!bindings.let_sign(b"key", b"SSHSIG", true));
        }
        let mut bindings = Bindings::default();
        assert!(!bindings.bind(&rare(false)));
        assert!(bindings.let_sign(b"key", &request(b"one", b"key", None), false));
    }

    #[test]
    fn only_a_connection_of_this_machine_manages_the_agent() {
        let host = HostKey::new();
        let mut local = Bindings::default();
        assert!(local.let_manage());
        for is_forwarding in [true, false] {
            let mut bound = Bindings::default();
            assert!(bound.bind(&host.bind(b"one", is_forwarding)));
            assert!(!bound.let_manage(), "{is_forwarding}");
        }
        assert!(!local.bind(b"nonsense"));
        assert!(!local.let_manage(), "who pretends does not, either");
    }

    #[test]
    fn there_are_sixteen_bindings_and_no_more() {
        let host = HostKey::new();
        let mut bindings = Bindings::default();
        for number in 0..u8::try_from(MAX_BINDINGS).unwrap() {
            assert!(bindings.bind(&host.bind(&[number], true)), "{number}");
        }
        assert!(!bindings.bind(&host.bind(b"one more", true)));
        assert!(!bindings.bind(&host.bind(b"one more", false)));
    }
}
