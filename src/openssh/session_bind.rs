//! The agent extension `session-bind@openssh.com` (PROTOCOL.agent, section 1): which session a connection to the agent is for.
//!
//! ```text
//! string   host key blob
//! string   session identifier
//! string   the host key's signature over the session identifier, from the key exchange
//! boolean  whether the connection is forwarded to that host
//! ```

use crate::rfc4251::Reader;

/// The extension's name.
pub(crate) const EXTENSION: &str = "session-bind@openssh.com";

/// The longest session identifier, in bytes; OpenSSH's own limit. Today's hashes have 64 at most.
pub(crate) const MAX_SESSION_ID_BYTES: usize = 128;
/// The longest host key or certificate, in bytes.
pub(crate) const MAX_HOST_KEY_BYTES: usize = 16 * 1024;

/// The extension's contents, unverified.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SessionBind<'a> {
    /// The blob of the key or certificate that the host presented.
    pub host_key: &'a [u8],
    /// The session identifier.
    pub session_id: &'a [u8],
    /// The host's signature over the session identifier.
    pub signature: &'a [u8],
    /// Whether the connection is forwarded to that host, so that processes there can use it.
    pub is_forwarding: bool,
}

impl<'a> SessionBind<'a> {
    /// Reads the contents of the extension; `None` if they are malformed or longer than the limits above.
    #[must_use]
    pub fn decode(contents: &'a [u8]) -> Option<Self> {
        let mut reader = Reader::new(contents);
        let bind = Self {
            host_key: reader.string()?,
            session_id: reader.string()?,
            signature: reader.string()?,
            is_forwarding: reader.byte()? != 0,
        };
        let fits = bind.host_key.len() <= MAX_HOST_KEY_BYTES
            && (1..=MAX_SESSION_ID_BYTES).contains(&bind.session_id.len());
        (fits && reader.is_empty()).then_some(bind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rfc4251::Writer;

    fn contents(host_key: usize, session_id: usize) -> Vec<u8> {
        Writer::new()
            .string(&vec![1; host_key])
            .string(&vec![2; session_id])
            .string(b"signature")
            .byte(1)
            .into_bytes()
    }

    #[test]
    fn a_binding_is_read() {
        let bytes = contents(32, 64);
        let bind = SessionBind::decode(&bytes).unwrap();
        assert_eq!((bind.host_key.len(), bind.session_id.len()), (32, 64));
        assert_eq!(bind.signature, b"signature");
        assert!(bind.is_forwarding);
    }

    #[test]
    fn each_length_is_allowed_up_to_its_limit() {
        for (host_key, session_id, fits) in [
            (MAX_HOST_KEY_BYTES, MAX_SESSION_ID_BYTES, true),
            (MAX_HOST_KEY_BYTES + 1, MAX_SESSION_ID_BYTES, false),
            (MAX_HOST_KEY_BYTES, MAX_SESSION_ID_BYTES + 1, false),
            (1, 0, false),
        ] {
            let bytes = contents(host_key, session_id);
            assert_eq!(SessionBind::decode(&bytes).is_some(), fits);
        }
    }

    #[test]
    fn reject_what_is_cut_or_longer() {
        let bytes = contents(8, 8);
        for length in 0..bytes.len() {
            assert_eq!(SessionBind::decode(&bytes[..length]), None, "{length}");
        }
        assert_eq!(SessionBind::decode(&[&bytes[..], &[0]].concat()), None);
    }
}
