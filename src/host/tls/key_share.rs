//! The two key shares of a first flight, one of them generated ahead of time.

use std::sync::{Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use rustls::crypto::ring::kx_group::{SECP384R1, X25519};
use rustls::crypto::{ActiveKeyExchange, SharedSecret, SupportedKxGroup};
use rustls::{Error, NamedGroup};

type KeyExchange = Box<dyn ActiveKeyExchange>;

/// X25519 with P-384 beside it (RFC 8446, section 4.2.8).
///
/// Azure's front ends ask for P-384, and a client without a share of it loses a round trip. Other servers accept X25519, which
/// costs a tenth. Both are sent, by the TLS library's interface for hybrid groups.
#[derive(Debug)]
pub(super) struct TwoShares {
    ahead: Mutex<Option<Making>>,
}

/// The group as the TLS library wants it: there for as long as the process runs.
pub(super) static TWO_SHARES: TwoShares = TwoShares::new();

impl TwoShares {
    const fn new() -> Self {
        Self {
            ahead: Mutex::new(None),
        }
    }

    /// Starts generating a key pair on P-384, on a thread of its own, for the next handshake. It takes as much processor time as
    /// the rest of a connection's start.
    pub(super) fn make_ahead(&self) {
        // Without a thread, the handshake makes it.
        let thread = thread::Builder::new().spawn(|| SECP384R1.start());
        *self.ahead.lock().unwrap_or_else(PoisonError::into_inner) = thread.ok().map(Making);
    }

    fn take_or_make(&self) -> Result<KeyExchange, Error> {
        let ahead = self
            .ahead
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        match ahead.map(|Making(thread)| thread.join()) {
            Some(Ok(Ok(made))) => Ok(made),
            _ => SECP384R1.start(),
        }
    }
}

impl SupportedKxGroup for TwoShares {
    fn start(&self) -> Result<KeyExchange, Error> {
        Ok(Box::new(Started {
            p384: self.take_or_make()?,
            x25519: X25519.start()?,
        }))
    }

    fn name(&self) -> NamedGroup {
        X25519.name()
    }
}

/// Two key exchanges, of which the server chooses one.
struct Started {
    p384: KeyExchange,
    x25519: KeyExchange,
}

impl ActiveKeyExchange for Started {
    fn complete(self: Box<Self>, peer_pub_key: &[u8]) -> Result<SharedSecret, Error> {
        self.x25519.complete(peer_pub_key)
    }

    fn hybrid_component(&self) -> Option<(NamedGroup, &[u8])> {
        Some((self.p384.group(), self.p384.pub_key()))
    }

    fn complete_hybrid_component(
        self: Box<Self>,
        peer_pub_key: &[u8],
    ) -> Result<SharedSecret, Error> {
        self.p384.complete(peer_pub_key)
    }

    fn pub_key(&self) -> &[u8] {
        self.x25519.pub_key()
    }

    fn group(&self) -> NamedGroup {
        self.x25519.group()
    }
}

/// A key pair that is being generated.
struct Making(JoinHandle<Result<KeyExchange, Error>>);

impl std::fmt::Debug for Making {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Making")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rcgen::{CertificateParams, KeyPair};
    use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
    use rustls::version::{TLS12, TLS13};
    use rustls::{
        ClientConnection, HandshakeKind, ServerConfig, ServerConnection, SupportedProtocolVersion,
    };

    use super::*;

    /// Shakes hands with a server that supports these groups; returns the agreed one, and whether the first flight sufficed.
    fn agree(
        groups: &[&'static dyn SupportedKxGroup],
        version: &'static SupportedProtocolVersion,
    ) -> (NamedGroup, HandshakeKind) {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(["localhost".to_owned()])
            .unwrap()
            .self_signed(&key)
            .unwrap();
        let folder = tempfile::tempdir().unwrap();
        let ca_file = folder.path().join("ca.pem");
        let pem = certificate.pem();
        let private = crate::host::files::Access::Private;
        crate::host::files::write(&ca_file, pem.as_bytes(), private).unwrap();
        let mut provider = rustls::crypto::ring::default_provider();
        provider.kx_groups = groups.to_vec();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let server = ServerConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        let mut server = ServerConnection::new(Arc::new(server)).unwrap();
        let client =
            super::super::client_config(Some(&ca_file), &crate::host::env::Env::default()).unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let mut client = ClientConnection::new(client, name).unwrap();
        while client.is_handshaking() || server.is_handshaking() {
            let mut wire = Vec::new();
            client.write_tls(&mut wire).unwrap();
            server.read_tls(&mut wire.as_slice()).unwrap();
            server.process_new_packets().unwrap();
            wire.clear();
            server.write_tls(&mut wire).unwrap();
            client.read_tls(&mut wire.as_slice()).unwrap();
            client.process_new_packets().unwrap();
        }
        let agreed = client.negotiated_key_exchange_group().unwrap().name();
        (agreed, client.handshake_kind().unwrap())
    }

    #[test]
    fn a_server_that_leaves_it_to_us_takes_the_cheaper_one() {
        let both: [&'static dyn SupportedKxGroup; 2] = [SECP384R1, X25519];
        let expected = (X25519.name(), HandshakeKind::Full);
        assert_eq!(agree(&both, &TLS13), expected);
    }

    #[test]
    fn either_group_is_agreed_on_without_another_round_trip() {
        for group in [SECP384R1, X25519] {
            for version in [&TLS12, &TLS13] {
                let expected = (group.name(), HandshakeKind::Full);
                assert_eq!(agree(&[group], version), expected, "{version:?}");
            }
        }
    }

    #[test]
    fn a_key_pair_made_ahead_serves_one_handshake() {
        let group = TwoShares::new();
        group.make_ahead();
        let (first, second) = (group.start().unwrap(), group.start().unwrap());
        let p384 = |shares: &KeyExchange| shares.hybrid_component().unwrap().1.to_vec();
        let (ours, theirs) = (p384(&first), p384(&second));
        assert_ne!(ours, theirs);
        let secret = first.complete_hybrid_component(&theirs).unwrap();
        assert_eq!(
            secret.secret_bytes(),
            second
                .complete_hybrid_component(&ours)
                .unwrap()
                .secret_bytes()
        );
    }
}
