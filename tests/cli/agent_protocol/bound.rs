//! Connections that ssh binds to a session, forwarded ones among them.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;

use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair as _};

use super::{
    EXTENSION, EXTENSION_FAILURE, LOCK, REMOVE_ALL_IDENTITIES, REMOVE_IDENTITY, SHA_512, SUCCESS,
    UNLOCK, listed, with_passphrase,
};
use crate::world::agent_socket::{
    FAILURE, SIGN_REQUEST, SIGN_RESPONSE, ask, connect, identities, string,
};
use crate::world::{ADA, World};

/// A host, as a session bind shows it.
struct Host(Ed25519KeyPair);

impl Host {
    fn new() -> Self {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self(Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap())
    }

    fn blob(&self) -> Vec<u8> {
        let public = self.0.public_key().as_ref();
        [string(b"ssh-ed25519"), string(public)].concat()
    }

    fn bind(&self, session_id: &[u8], is_forwarding: bool) -> Vec<u8> {
        let signed = self.0.sign(session_id);
        let signature = [string(b"ssh-ed25519"), string(signed.as_ref())].concat();
        [
            &[EXTENSION][..],
            &string(b"session-bind@openssh.com"),
            &string(&self.blob()),
            &string(session_id),
            &string(&signature),
            &[u8::from(is_forwarding)],
        ]
        .concat()
    }
}

/// Returns a request to sign a login.
fn login(key: &[u8], session_id: &[u8]) -> Vec<u8> {
    let data = [
        &string(session_id)[..],
        &[50],
        &string(ADA.as_bytes()),
        &string(b"ssh-connection"),
        &string(b"publickey"),
        &[1],
        &string(b"rsa-sha2-512-cert-v01@openssh.com"),
        &string(key),
    ]
    .concat();
    [
        &[SIGN_REQUEST][..],
        &string(key),
        &string(&data),
        &SHA_512.to_be_bytes(),
    ]
    .concat()
}

#[test]
fn a_bound_connection_signs_logins_of_its_session_alone() {
    let world = World::with_host("web01");
    let key = identities(&world).remove(0);
    let (host, mut stream) = (Host::new(), connect(&world));
    assert_eq!(ask(&mut stream, &host.bind(b"one", false)), [SUCCESS]);
    assert_eq!(ask(&mut stream, &login(&key, b"one"))[0], SIGN_RESPONSE);
    assert_eq!(ask(&mut stream, &login(&key, b"two")), [FAILURE]);
    let letter = [
        &[SIGN_REQUEST][..],
        &string(&key),
        &string(b"SSHSIG"),
        &SHA_512.to_be_bytes(),
    ]
    .concat();
    assert_eq!(ask(&mut stream, &letter), [FAILURE]);
    // Another connection is not bound.
    assert_eq!(ask(&mut connect(&world), &letter)[0], SIGN_RESPONSE);
    let mut forged = host.bind(b"three", false);
    let last = forged.len() - 2;
    forged[last] ^= 1;
    let mut stream = connect(&world);
    assert_eq!(ask(&mut stream, &forged), [EXTENSION_FAILURE]);
    assert_eq!(ask(&mut stream, &login(&key, b"three")), [FAILURE]);
}

#[test]
fn a_forwarded_connection_sees_and_signs_nothing_unless_the_profile_says_so() {
    let world = World::with_host("web01");
    let (near, far) = (Host::new(), Host::new());
    let try_both = |key: &[u8]| {
        let mut stream = connect(&world);
        assert_eq!(ask(&mut stream, &near.bind(b"near", true)), [SUCCESS]);
        let listed = ask(&mut stream, &[11])[4];
        assert_eq!(ask(&mut stream, &far.bind(b"far", false)), [SUCCESS]);
        (listed, ask(&mut stream, &login(key, b"far"))[0])
    };
    let key = identities(&world).remove(0);
    assert_eq!(try_both(&key), (0, FAILURE));
    // A binding counts though the agent is locked when it comes.
    let mut stream = connect(&world);
    with_passphrase(&world, "-x", "secret").succeeded();
    assert_eq!(ask(&mut stream, &near.bind(b"near", true)), [SUCCESS]);
    with_passphrase(&world, "-X", "secret").succeeded();
    assert_eq!(ask(&mut stream, &login(&key, b"near")), [FAILURE]);
    world.json(&["cert", "--forwardable", "yes"]);
    let key = identities(&world).remove(0);
    assert_eq!(try_both(&key), (1, SIGN_RESPONSE));
    world.json(&["cert", "--forwardable", "no"]);
    let key = identities(&world).remove(0);
    assert_eq!(try_both(&key), (0, FAILURE));
}

#[test]
fn another_machine_neither_locks_nor_unlocks_the_agent_nor_removes_its_keys() {
    let world = World::with_host("web01");
    world.json(&["cert", "--forwardable", "yes"]);
    let key = identities(&world).remove(0);
    let requests = [
        [&[LOCK][..], &string(b"theirs")].concat(),
        [&[UNLOCK][..], &string(b"ours")].concat(),
        [&[REMOVE_IDENTITY][..], &string(&key)].concat(),
        vec![REMOVE_ALL_IDENTITIES],
    ];
    let ask_all = |stream: &mut UnixStream| {
        for request in &requests {
            assert_eq!(ask(stream, request), [FAILURE], "{request:?}");
        }
    };
    let (near, far) = (Host::new(), Host::new());
    let mut stream = connect(&world);
    assert_eq!(ask(&mut stream, &near.bind(b"near", true)), [SUCCESS]);
    ask_all(&mut stream);
    assert_eq!(ask(&mut stream, &far.bind(b"far", false)), [SUCCESS]);
    ask_all(&mut stream);
    assert_eq!(listed(&world), 1);
    world.ssh("web01", "true").succeeded();
    // Nor does it undo what its owner has done.
    with_passphrase(&world, "-x", "ours").succeeded();
    ask_all(&mut stream);
    assert_eq!(listed(&world), 0);
    with_passphrase(&world, "-X", "ours").succeeded();
    assert_eq!(listed(&world), 1);
}

#[test]
fn other_machines_take_some_places_of_the_agent_and_not_all() {
    const MAX_FORWARDED: usize = 64;
    let world = World::with_host("web01");
    let near = Host::new();
    let forwarded: Vec<_> = (0..MAX_FORWARDED)
        .map(|_| {
            let mut stream = connect(&world);
            assert_eq!(ask(&mut stream, &near.bind(b"near", true)), [SUCCESS]);
            stream
        })
        .collect();
    let mut one_more = connect(&world);
    one_more
        .write_all(&string(&near.bind(b"near", true)))
        .unwrap();
    let mut rest = Vec::new();
    one_more.read_to_end(&mut rest).unwrap();
    assert!(rest.is_empty(), "it ends without an answer");
    assert_eq!(listed(&world), 1);
    world.ssh("web01", "true").succeeded();
    drop(forwarded);
}

#[test]
fn sixteen_bindings_are_held_and_no_more() {
    let world = World::with_host("web01");
    let (host, mut stream) = (Host::new(), connect(&world));
    for number in 0..16 {
        assert_eq!(ask(&mut stream, &host.bind(&[number], true)), [SUCCESS]);
    }
    assert_eq!(
        ask(&mut stream, &host.bind(&[16], true)),
        [EXTENSION_FAILURE]
    );
}
