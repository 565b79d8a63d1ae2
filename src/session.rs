//! Sessions with Entra: profiles, and the accounts that they sign in to.

pub mod account;
pub mod profile;
