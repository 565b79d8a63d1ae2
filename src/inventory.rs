//! Machines: from what the user typed to a machine and the account that reaches it.

pub(crate) mod target;
