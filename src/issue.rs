//! Issuing certificates: a key, a token request, verification, the keyring; one at a time, however many processes ask.

mod certify;
mod error;
mod issued;
mod spare_keys;
mod stored;

pub use self::certify::certify;
pub(crate) use self::certify::fresh;
pub(crate) use self::error::{IssueError, KeyOwner};
pub(crate) use self::issued::Issued;
pub(crate) use self::spare_keys::SpareKeys;
pub(crate) use self::stored::{stored, stored_unverified};
