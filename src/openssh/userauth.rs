//! What ssh has an agent sign when it logs in with a key (RFC 4252, section 7).
//!
//! ```text
//! string   session identifier
//! byte     50 (SSH_MSG_USERAUTH_REQUEST)
//! string   user name
//! string   service name: "ssh-connection"
//! string   "publickey" or "publickey-hostbound-v00@openssh.com"
//! boolean  TRUE
//! string   the signature's algorithm
//! string   key or certificate blob
//! string   the server's host key, only of the second method (PROTOCOL, section 3.1)
//! ```

use crate::rfc4251::Reader;

const USERAUTH_REQUEST: u8 = 50;
const SERVICE: &str = "ssh-connection";
const PUBLIC_KEY: &str = "publickey";
const PUBLIC_KEY_HOST_BOUND: &str = "publickey-hostbound-v00@openssh.com";

/// A login with a key, before it is signed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct UserauthRequest<'a> {
    /// The session that it is for.
    pub session_id: &'a [u8],
    /// The login name.
    pub user: &'a str,
    /// The blob of the key or of its certificate.
    pub key: &'a [u8],
    /// The blob of the host key that the client met, if it says so.
    pub host_key: Option<&'a [u8]>,
}

impl<'a> UserauthRequest<'a> {
    /// Reads what is to be signed; `None` if it is something else than a login with a key.
    #[must_use]
    pub fn decode(data: &'a [u8]) -> Option<Self> {
        let mut reader = Reader::new(data);
        let session_id = reader.string()?;
        if reader.byte()? != USERAUTH_REQUEST {
            return None;
        }
        let user = reader.text()?;
        if reader.text()? != SERVICE {
            return None;
        }
        let is_host_bound = match reader.text()? {
            PUBLIC_KEY => false,
            PUBLIC_KEY_HOST_BOUND => true,
            _ => return None,
        };
        if reader.byte()? == 0 {
            return None;
        }
        let _algorithm = reader.text()?;
        let key = reader.string()?;
        let host_key = if is_host_bound {
            Some(reader.string()?)
        } else {
            None
        };
        reader.is_empty().then_some(Self {
            session_id,
            user,
            key,
            host_key,
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::rfc4251::Writer;

    /// Returns what ssh signs.
    pub(crate) fn request(session_id: &[u8], key: &[u8], host_key: Option<&[u8]>) -> Vec<u8> {
        let method = if host_key.is_some() {
            PUBLIC_KEY_HOST_BOUND
        } else {
            PUBLIC_KEY
        };
        let writer = Writer::new()
            .string(session_id)
            .byte(USERAUTH_REQUEST)
            .string(b"ada")
            .string(SERVICE.as_bytes())
            .string(method.as_bytes())
            .byte(1)
            .string(b"rsa-sha2-512-cert-v01@openssh.com")
            .string(key);
        match host_key {
            Some(host_key) => writer.string(host_key),
            None => writer,
        }
        .into_bytes()
    }

    #[test]
    fn both_methods_are_read() {
        for host_key in [None, Some(&b"host"[..])] {
            let bytes = request(b"session", b"key", host_key);
            let read = UserauthRequest::decode(&bytes).unwrap();
            assert_eq!(
                read,
                UserauthRequest {
                    session_id: b"session",
                    user: "ada",
                    key: b"key",
                    host_key
                }
            );
        }
    }

    #[test]
    fn reject_what_is_cut_or_longer_or_something_else() {
        let bytes = request(b"session", b"key", Some(b"host"));
        for length in 0..bytes.len() {
            assert_eq!(UserauthRequest::decode(&bytes[..length]), None, "{length}");
        }
        assert_eq!(UserauthRequest::decode(&[&bytes[..], &[0]].concat()), None);
        let text = String::from_utf8_lossy(&bytes);
        assert!(text.contains("ssh-connection"));
        for (from, to) in [
            ("ssh-connection", "ssh-userauth!!"),
            ("publickey", "passwords"),
        ] {
            let other = bytes_with(&bytes, from.as_bytes(), to.as_bytes());
            assert_eq!(UserauthRequest::decode(&other), None, "{to}");
        }
        assert_eq!(UserauthRequest::decode(b"SSHSIG\0\0\0\x04file"), None);
    }

    fn bytes_with(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
        let start = bytes
            .windows(from.len())
            .position(|window| window == from)
            .unwrap();
        let mut other = bytes.to_vec();
        other[start..start + to.len()].copy_from_slice(to);
        other
    }
}
