use std::fmt;
use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::secret::SecretBytes;

/// What a program asks the memory of the agent.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum MemoryQuestion {
    /// The secret of this name.
    Load(String),
    /// Forget the secret of this name.
    Remove(String),
    /// Hold a secret under this name.
    Save(String, Carried),
}

/// What the memory of the agent answers.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum MemoryAnswer {
    /// It cannot change now, since it is being handed over: ask again.
    Busy,
    /// Whether there was something to remove.
    Removed(bool),
    /// It is held.
    Saved,
    /// The secret, if there is one.
    Secret(Option<Carried>),
}

/// A secret on its way through the socket, in base64.
#[derive(Clone, Deserialize, Eq, PartialEq, Serialize, Zeroize, ZeroizeOnDrop)]
pub(crate) struct Carried(String);

impl Carried {
    pub(crate) fn new(secret: &SecretBytes) -> Self {
        Self(STANDARD.encode(secret.expose()))
    }

    pub(crate) fn secret(&self) -> io::Result<SecretBytes> {
        let bytes = STANDARD.decode(&self.0);
        bytes
            .map(SecretBytes::new)
            .map_err(|_| io::Error::from(io::ErrorKind::InvalidData))
    }
}

impl fmt::Debug for Carried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Carried(redacted)")
    }
}
