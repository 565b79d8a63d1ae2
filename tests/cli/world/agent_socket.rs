//! Speaks PROTOCOL.agent on the socket of our agent.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;

use super::{LIMIT, World};

pub(crate) const REQUEST_IDENTITIES: u8 = 11;
pub(crate) const IDENTITIES_ANSWER: u8 = 12;
pub(crate) const SIGN_REQUEST: u8 = 13;
pub(crate) const SIGN_RESPONSE: u8 = 14;
pub(crate) const FAILURE: u8 = 5;

/// Connects to the agent.
pub(crate) fn connect(world: &World) -> UnixStream {
    let stream = UnixStream::connect(world.socket()).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream
}

/// Returns a string as RFC 4251 encodes it: its length, then its bytes.
pub(crate) fn string(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap();
    [&length.to_be_bytes()[..], bytes].concat()
}

/// Sends a request, and returns the reply without its length.
pub(crate) fn ask(stream: &mut UnixStream, message: &[u8]) -> Vec<u8> {
    stream.write_all(&string(message)).unwrap();
    let mut length = [0; 4];
    stream.read_exact(&mut length).unwrap();
    let mut answer = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap()];
    stream.read_exact(&mut answer).unwrap();
    answer
}

/// Returns the key blobs that the agent lists.
pub(crate) fn identities(world: &World) -> Vec<Vec<u8>> {
    let answer = ask(&mut connect(world), &[REQUEST_IDENTITIES]);
    assert_eq!(answer[0], IDENTITIES_ANSWER);
    let mut rest = &answer[5..];
    let mut strings = Vec::new();
    while !rest.is_empty() {
        let length = usize::try_from(u32::from_be_bytes(rest[..4].try_into().unwrap())).unwrap();
        strings.push(rest[4..4 + length].to_vec());
        rest = &rest[4 + length..];
    }
    strings.into_iter().step_by(2).collect()
}
