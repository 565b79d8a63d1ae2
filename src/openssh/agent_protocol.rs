//! The messages of an ssh agent (PROTOCOL.agent, draft-ietf-sshm-ssh-agent), apart from any socket.
//!
//! ```text
//! uint32  length of what follows
//! byte    type
//! …       contents
//! ```

use std::fmt;

use zeroize::Zeroizing;

use crate::rfc4251::{Reader, Writer};

/// The longest message that is read, in bytes; OpenSSH's own limit.
pub const MAX_MESSAGE_BYTES: usize = 256 * 1024;

/// Sign with SHA-256 (`SSH_AGENT_RSA_SHA2_256`).
pub(crate) const FLAG_RSA_SHA2_256: u32 = 2;
/// Sign with SHA-512 (`SSH_AGENT_RSA_SHA2_512`).
pub(crate) const FLAG_RSA_SHA2_512: u32 = 4;

const FAILURE: u8 = 5;
const SUCCESS: u8 = 6;
const REQUEST_IDENTITIES: u8 = 11;
const IDENTITIES_ANSWER: u8 = 12;
const SIGN_REQUEST: u8 = 13;
const SIGN_RESPONSE: u8 = 14;
const REMOVE_IDENTITY: u8 = 18;
const REMOVE_ALL_IDENTITIES: u8 = 19;
const LOCK: u8 = 22;
const UNLOCK: u8 = 23;
const EXTENSION: u8 = 27;
const EXTENSION_FAILURE: u8 = 28;
const EXTENSION_RESPONSE: u8 = 29;

/// The passphrase of `ssh-add -x` and `-X`. Its debug form hides it.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct Passphrase<'a>(pub &'a [u8]);

impl fmt::Debug for Passphrase<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(redacted)")
    }
}

/// A client's request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Request<'a> {
    /// `SSH_AGENTC_EXTENSION`
    Extension {
        /// The extension's name.
        name: &'a str,
        /// The extension's contents.
        contents: &'a [u8],
    },
    /// `SSH_AGENTC_LOCK`
    Lock(Passphrase<'a>),
    /// Any request that this agent does not support, such as adding a key.
    Other(u8),
    /// `SSH_AGENTC_REMOVE_IDENTITY`
    Remove {
        /// The blob of the key or of its certificate.
        key: &'a [u8],
    },
    /// `SSH_AGENTC_REMOVE_ALL_IDENTITIES`
    RemoveAll,
    /// `SSH_AGENTC_REQUEST_IDENTITIES`
    RequestIdentities,
    /// `SSH_AGENTC_SIGN_REQUEST`
    Sign {
        /// The blob of the key or of its certificate.
        key: &'a [u8],
        /// The data to sign.
        data: &'a [u8],
        /// How.
        flags: u32,
    },
    /// `SSH_AGENTC_UNLOCK`
    Unlock(Passphrase<'a>),
}

impl<'a> Request<'a> {
    /// Reads a message without its length; `None` if it is damaged.
    #[must_use]
    pub fn decode(message: &'a [u8]) -> Option<Self> {
        let mut reader = Reader::new(message);
        let request = match reader.byte()? {
            REQUEST_IDENTITIES => Self::RequestIdentities,
            SIGN_REQUEST => Self::Sign {
                key: reader.string()?,
                data: reader.string()?,
                flags: reader.uint32()?,
            },
            REMOVE_IDENTITY => Self::Remove {
                key: reader.string()?,
            },
            REMOVE_ALL_IDENTITIES => Self::RemoveAll,
            LOCK => Self::Lock(Passphrase(reader.string()?)),
            UNLOCK => Self::Unlock(Passphrase(reader.string()?)),
            EXTENSION => {
                return Some(Self::Extension {
                    name: reader.text()?,
                    contents: reader.rest(),
                });
            }
            other => return Some(Self::Other(other)),
        };
        reader.is_empty().then_some(request)
    }

    /// Writes a message with its length.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let writer = Writer::new();
        framed(match *self {
            Self::RequestIdentities => writer.byte(REQUEST_IDENTITIES),
            Self::Sign { key, data, flags } => writer
                .byte(SIGN_REQUEST)
                .string(key)
                .string(data)
                .uint32(flags),
            Self::Extension { name, contents } => {
                writer.byte(EXTENSION).string(name.as_bytes()).raw(contents)
            }
            Self::Remove { key } => writer.byte(REMOVE_IDENTITY).string(key),
            Self::RemoveAll => writer.byte(REMOVE_ALL_IDENTITIES),
            Self::Lock(Passphrase(passphrase)) => writer.byte(LOCK).string(passphrase),
            Self::Unlock(Passphrase(passphrase)) => writer.byte(UNLOCK).string(passphrase),
            Self::Other(kind) => writer.byte(kind),
        })
    }
}

/// A key that an agent offers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OfferedKey {
    /// The blob of the key or of its certificate.
    pub blob: Vec<u8>,
    /// What `ssh-add -l` shows beside it.
    pub comment: String,
}

/// An agent's reply.
#[derive(Clone, Eq, PartialEq)]
pub enum Response {
    /// `SSH_AGENT_EXTENSION_FAILURE`: the extension is known and failed.
    ExtensionFailure,
    /// `SSH_AGENT_EXTENSION_RESPONSE` to the extension `query`: the names of the extensions that there are.
    Extensions(&'static [&'static str]),
    /// `SSH_AGENT_FAILURE`
    Failure,
    /// `SSH_AGENT_IDENTITIES_ANSWER`
    Identities(Vec<OfferedKey>),
    /// `SSH_AGENT_SIGN_RESPONSE`
    Signature {
        /// The signature's algorithm: `rsa-sha2-512`.
        algorithm: &'static str,
        /// The bare signature.
        signature: Vec<u8>,
    },
    /// `SSH_AGENT_SUCCESS`, with what an extension answers, which may be secret.
    Success(Zeroizing<Vec<u8>>),
}

impl Response {
    /// Writes a message with its length.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let writer = Writer::new();
        framed(match self {
            Self::ExtensionFailure => writer.byte(EXTENSION_FAILURE),
            Self::Extensions(names) => {
                let writer = writer.byte(EXTENSION_RESPONSE).string(b"query");
                names
                    .iter()
                    .fold(writer, |writer, name| writer.string(name.as_bytes()))
            }
            Self::Failure => writer.byte(FAILURE),
            Self::Identities(keys) => {
                let count = u32::try_from(keys.len()).unwrap_or(u32::MAX);
                let writer = writer.byte(IDENTITIES_ANSWER).uint32(count);
                keys.iter().fold(writer, |writer, key| {
                    writer.string(&key.blob).string(key.comment.as_bytes())
                })
            }
            Self::Signature {
                algorithm,
                signature,
            } => {
                let blob = Writer::new().string(algorithm.as_bytes()).string(signature);
                writer.byte(SIGN_RESPONSE).string(&blob.into_bytes())
            }
            Self::Success(contents) => writer.byte(SUCCESS).raw(contents),
        })
    }

    /// Returns the keys that an agent lists, from a message without its length; `None` if it is another message or damaged.
    #[must_use]
    pub fn identities(message: &[u8]) -> Option<Vec<OfferedKey>> {
        let mut reader = Reader::new(message);
        if reader.byte()? != IDENTITIES_ANSWER {
            return None;
        }
        let count = reader.uint32()?;
        let mut keys = Vec::new();
        // The message ends before a count that is too large does.
        for _ in 0..count {
            keys.push(OfferedKey {
                blob: reader.string()?.to_vec(),
                comment: String::from_utf8_lossy(reader.string()?).into_owned(),
            });
        }
        reader.is_empty().then_some(keys)
    }

    /// Returns what an extension answered, from a message without its length; `None` if it failed.
    #[must_use]
    pub fn success_contents(message: &[u8]) -> Option<&[u8]> {
        match message.split_first() {
            Some((&SUCCESS, contents)) => Some(contents),
            _ => None,
        }
    }
}

/// Reads the length before a message: `None` if it is one that no message has.
#[must_use]
pub fn message_length(bytes: [u8; 4]) -> Option<usize> {
    usize::try_from(u32::from_be_bytes(bytes))
        .ok()
        .filter(|length| (1..=MAX_MESSAGE_BYTES).contains(length))
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ExtensionFailure => "ExtensionFailure",
            Self::Extensions(_) => "Extensions",
            Self::Failure => "Failure",
            Self::Identities(_) => "Identities",
            Self::Signature { .. } => "Signature",
            Self::Success(_) => "Success",
        })
    }
}

fn framed(writer: Writer) -> Vec<u8> {
    Writer::new()
        .string(&Zeroizing::new(writer.into_bytes()))
        .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_survive_a_round_trip() {
        for request in [
            Request::RequestIdentities,
            Request::Sign {
                key: b"key",
                data: b"data",
                flags: FLAG_RSA_SHA2_512,
            },
            Request::Extension {
                name: "query",
                contents: b"x",
            },
            Request::Remove { key: b"key" },
            Request::RemoveAll,
            Request::Lock(Passphrase(b"secret")),
            Request::Unlock(Passphrase(b"")),
            Request::Other(17),
        ] {
            let bytes = request.encode();
            let (length, message) = bytes.split_first_chunk().unwrap();
            assert_eq!(message_length(*length), Some(message.len()));
            assert_eq!(Request::decode(message), Some(request));
        }
    }

    #[test]
    fn passphrases_are_not_shown() {
        let text = format!("{:?}", Request::Lock(Passphrase(b"hunter2")));
        assert_eq!(text, "Lock(Passphrase(redacted))");
    }

    #[test]
    fn extensions_are_listed_as_the_draft_says() {
        assert_eq!(
            Response::Extensions(&["query"]).encode(),
            b"\0\0\0\x13\x1d\0\0\0\x05query\0\0\0\x05query"
        );
    }

    #[test]
    fn reject_requests_that_are_cut_or_longer() {
        let bytes = Request::Sign {
            key: b"key",
            data: b"data",
            flags: 2,
        }
        .encode();
        let message = &bytes[4..];
        for length in 0..message.len() {
            assert_eq!(Request::decode(&message[..length]), None, "{length}");
        }
        assert_eq!(Request::decode(&[message, &[0]].concat()), None);
    }

    #[test]
    fn a_message_may_be_as_long_as_openssh_allows_and_no_longer() {
        let limit = u32::try_from(MAX_MESSAGE_BYTES).unwrap();
        assert_eq!(message_length(limit.to_be_bytes()), Some(MAX_MESSAGE_BYTES));
        assert_eq!(message_length((limit + 1).to_be_bytes()), None);
        assert_eq!(message_length([0; 4]), None);
    }

    #[test]
    fn identities_are_written_as_the_protocol_says() {
        let answer = Response::Identities(vec![OfferedKey {
            blob: b"blob".to_vec(),
            comment: "me".to_owned(),
        }]);
        let bytes = answer.encode();
        assert_eq!(bytes, b"\0\0\0\x13\x0c\0\0\0\x01\0\0\0\x04blob\0\0\0\x02me");
        assert_eq!(
            Response::identities(&bytes[4..]).map(Response::Identities),
            Some(answer)
        );
        assert_eq!(Response::identities(&[12, 0xff, 0xff, 0xff, 0xff]), None);
    }
}
