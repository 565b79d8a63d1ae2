//! Sessions with Entra: profiles, and the accounts that they sign in to.

pub(crate) mod account;
pub(crate) mod profile;
