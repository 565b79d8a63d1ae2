//! Machines: from what the user typed to a machine, and to the account it is reached as.

mod accounts;
mod error;
mod search;
mod target;

pub(crate) use self::accounts::Accounts;
pub(crate) use self::error::InventoryError;
pub(crate) use self::search::{Found, find};
pub(crate) use self::target::Target;
