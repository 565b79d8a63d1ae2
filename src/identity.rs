//! Where key and certificate are kept besides our own agent and the keyring: in files, in the user's own agent, and, for a key of
//! the user's, a certificate alone.
//!
//! ssh reads these by itself, so `Match exec` in the managed config has them renewed first. When a certificate is renewed is one
//! rule for all of them and for our agent: [`Lifetime`](crate::certificate::Lifetime).

mod certificate_file;
mod error;
mod forget;
mod keep;
mod key_files;
mod own_key;
mod place;
mod user_agent;

pub(crate) use self::error::IdentityError;
pub(crate) use self::forget::forget;
pub(crate) use self::keep::keep;
pub(crate) use self::own_key::{OwnKey, certificate_beside, read_public_key};
pub(crate) use self::place::Place;
