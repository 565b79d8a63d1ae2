use serde::{Deserialize, Serialize};

use crate::certificate::{KeyKind, RSA_BITS};

/// What a profile says about its keys.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct KeyOptions {
    /// What new keys are.
    pub key_type: KeyType,
    /// The length of a new RSA key, in bits.
    pub bits: usize,
    /// Whether they may be used from the machines that the agent is forwarded to.
    pub may_be_forwarded: bool,
}

/// What a new key is.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyType {
    /// Ed25519, which Entra does not certify yet.
    Ed25519,
    /// RSA.
    #[default]
    Rsa,
}

impl KeyOptions {
    /// Returns what a new key is to be like.
    #[must_use]
    pub const fn kind(&self) -> KeyKind {
        match self.key_type {
            KeyType::Ed25519 => KeyKind::Ed25519,
            KeyType::Rsa => KeyKind::Rsa { bits: self.bits },
        }
    }
}

impl Default for KeyOptions {
    fn default() -> Self {
        Self {
            key_type: KeyType::Rsa,
            bits: RSA_BITS,
            may_be_forwarded: false,
        }
    }
}
