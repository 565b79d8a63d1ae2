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
pub const FLAG_RSA_SHA2_256: u32 = 2;
/// Sign with SHA-512 (`SSH_AGENT_RSA_SHA2_512`).
pub const FLAG_RSA_SHA2_512: u32 = 4;

const FAILURE: u8 = 5;
const SUCCESS: u8 = 6;
const REQUEST_IDENTITIES: u8 = 11;
const IDENTITIES_ANSWER: u8 = 12;
const SIGN_REQUEST: u8 = 13;
const SIGN_RESPONSE: u8 = 14;
const EXTENSION: u8 = 27;
const EXTENSION_FAILURE: u8 = 28;

/// What a client asks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Request<'a> {
    /// `SSH_AGENTC_EXTENSION`
    Extension {
        /// The extension's name.
        name: &'a str,
        /// What belongs to it.
        contents: &'a [u8],
    },
    /// Anything that this agent does not do.
    Other(u8),
    /// `SSH_AGENTC_REQUEST_IDENTITIES`
    RequestIdentities,
    /// `SSH_AGENTC_SIGN_REQUEST`
    Sign {
        /// The blob of the key or of its certificate.
        key: &'a [u8],
        /// What is to be signed.
        data: &'a [u8],
        /// How.
        flags: u32,
    },
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

/// What an agent answers.
#[derive(Clone, Eq, PartialEq)]
pub enum Response {
    /// `SSH_AGENT_EXTENSION_FAILURE`: the extension is known and failed.
    ExtensionFailure,
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
        ] {
            let bytes = request.encode();
            let (length, message) = bytes.split_first_chunk().unwrap();
            assert_eq!(message_length(*length), Some(message.len()));
            assert_eq!(Request::decode(message), Some(request));
        }
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
        assert_eq!(
            answer.encode(),
            b"\0\0\0\x13\x0c\0\0\0\x01\0\0\0\x04blob\0\0\0\x02me"
        );
    }
}
