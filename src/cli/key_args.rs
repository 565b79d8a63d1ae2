use clap::{Args, ValueEnum};

use crate::failure::{Failure, FailureKind};
use crate::session::{self, KeyOptions};

/// Options of new keys, which the profile keeps.
#[derive(Args, Clone, Copy, Debug)]
pub(super) struct KeyArgs {
    /// Length of new RSA keys in bits [default: that of the profile, at first 3072]
    #[arg(long, value_name = "BITS")]
    key_size: Option<KeySize>,
    /// Kind of new keys; Entra certifies only RSA today [default: that of the profile, at first rsa]
    #[arg(long, value_name = "KIND")]
    key_type: Option<KeyType>,
    /// Allow use of the keys from machines that the agent is forwarded to (ssh -A) [default: as the profile says, at first no]
    #[arg(long, value_name = "YES|NO", hide_possible_values = true)]
    forwardable: Option<YesNo>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum KeySize {
    #[value(name = "2048")]
    Rsa2048,
    #[value(name = "3072")]
    Rsa3072,
    #[value(name = "4096")]
    Rsa4096,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum KeyType {
    Ed25519,
    Rsa,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum YesNo {
    No,
    Yes,
}

impl KeyArgs {
    /// Returns the options from now on, given those so far.
    pub(super) fn over(self, before: KeyOptions) -> Result<KeyOptions, Failure> {
        if matches!(self.key_type, Some(KeyType::Ed25519)) && self.key_size.is_some() {
            return Err(
                Failure::new("`--key-size` is only for RSA keys, not for `ed25519`")
                    .kind(FailureKind::Usage)
                    .hint("leave out the size: entra-ssh cert --key-type ed25519"),
            );
        }
        let key_type = match self.key_type {
            None => before.key_type,
            Some(KeyType::Ed25519) => session::KeyType::Ed25519,
            Some(KeyType::Rsa) => session::KeyType::Rsa,
        };
        let bits = match self.key_size {
            None => before.bits,
            Some(KeySize::Rsa2048) => 2048,
            Some(KeySize::Rsa3072) => 3072,
            Some(KeySize::Rsa4096) => 4096,
        };
        let may_be_forwarded = match self.forwardable {
            None => before.may_be_forwarded,
            Some(answer) => answer == YesNo::Yes,
        };
        Ok(KeyOptions {
            key_type,
            bits,
            may_be_forwarded,
        })
    }
}
