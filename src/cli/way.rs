//! The ways to a machine: to its address, or through the relay.

mod direct;
mod relayed;

pub(super) use self::direct::Direct;
pub(super) use self::relayed::{Connected, Relayed};
