//! Handing the memory over to the agent of an upgraded program, which reads it from its standard input.
//!
//! The new agent replaces the sockets of the old one, which notices and exits: at every moment one agent with all secrets
//! answers. If the new program does not get that far, the old agent continues.
//!
//! ```text
//! string  name            (RFC 4251, section 5)
//! string  secret          both as often as there are secrets
//! string                  empty: the end
//! ```

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::Child;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use zeroize::Zeroizing;

use crate::host::vault::{OwnMemory, Vault as _};
use crate::host::{files, process};
use crate::rfc4251::{Reader, Writer};
use crate::secret::SecretBytes;

/// The longest memory that is handed over, in bytes.
const MAX_BYTES: usize = 64 * 1024 * 1024;
/// How long the new agent may take to put its sockets in place.
const LIMIT: Duration = Duration::from_secs(10);
/// How often to check whether it has ended instead.
const POLL: Duration = Duration::from_millis(20);

/// Starts a program as the next agent at this socket and hands it the memory, which does not change from then on.
pub(super) fn start(
    program: &Path,
    socket: &Path,
    idle: Duration,
    memory: &OwnMemory,
) -> io::Result<Child> {
    memory.freeze();
    let arguments: [OsString; 8] = [
        "agent".into(),
        "run".into(),
        "--detached".into(),
        "--inherit".into(),
        "--idle".into(),
        idle.as_secs().to_string().into(),
        "--agent-socket".into(),
        socket.into(),
    ];
    process::start_detached_with(program, &arguments, encode(memory))
}

/// Returns when the new agent had its time, or has ended: then the memory may change again, and this agent goes on.
pub(super) async fn fail(mut next: Child, memory: &OwnMemory) {
    let deadline = Instant::now() + LIMIT;
    while Instant::now() < deadline && matches!(next.try_wait(), Ok(None)) {
        sleep(POLL).await;
    }
    // It may have ended by now.
    let _ended = next.kill().and_then(|()| next.wait());
    memory.thaw();
}

/// Reads what an agent hands over.
///
/// # Errors
/// What the system says; [`io::ErrorKind::InvalidData`] if it is cut or damaged.
pub(crate) fn receive(input: impl io::Read) -> io::Result<OwnMemory> {
    let bytes = Zeroizing::new(files::read_stream_capped(input, MAX_BYTES)?);
    let memory = OwnMemory::default();
    let mut reader = Reader::new(&bytes);
    let damaged = || io::Error::from(io::ErrorKind::InvalidData);
    loop {
        let name = reader.text().ok_or_else(damaged)?.to_owned();
        if name.is_empty() {
            return if reader.is_empty() {
                Ok(memory)
            } else {
                Err(damaged())
            };
        }
        let secret = reader.string().ok_or_else(damaged)?;
        memory.save(&name, &SecretBytes::new(secret.to_vec()))?;
    }
}

fn encode(memory: &OwnMemory) -> Zeroizing<Vec<u8>> {
    let all = memory.all();
    let writer = all.iter().fold(Writer::new(), |writer, (name, secret)| {
        writer.string(name.as_bytes()).string(secret.expose())
    });
    Zeroizing::new(writer.string(b"").into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_handed_over_arrives_and_what_is_cut_does_not() {
        let memory = OwnMemory::default();
        assert!(
            receive(encode(&memory).as_slice())
                .unwrap()
                .names()
                .is_empty()
        );
        for name in ["sign-in a", "certificate a"] {
            let secret = SecretBytes::new(name.as_bytes().to_vec());
            memory.save(name, &secret).unwrap();
        }
        let bytes = encode(&memory);
        let received = receive(bytes.as_slice()).unwrap();
        assert_eq!(received.names(), ["certificate a", "sign-in a"]);
        let secret = received.load("sign-in a").unwrap().unwrap();
        assert_eq!(secret.expose(), b"sign-in a");
        for length in 0..bytes.len() {
            assert!(receive(&bytes[..length]).is_err(), "{length}");
        }
        assert!(receive([bytes.as_slice(), &[0]].concat().as_slice()).is_err());
    }
}
