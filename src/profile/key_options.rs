use serde::{Deserialize, Serialize};

use crate::certificate::RSA_BITS;

/// What a profile says about its keys.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct KeyOptions {
    /// The length of a new RSA key, in bits.
    pub bits: usize,
    /// Whether they may be used from the machines that the agent is forwarded to.
    pub may_be_forwarded: bool,
}

impl Default for KeyOptions {
    fn default() -> Self {
        Self {
            bits: RSA_BITS,
            may_be_forwarded: false,
        }
    }
}
