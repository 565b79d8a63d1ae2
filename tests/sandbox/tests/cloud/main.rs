//! The sandbox as its clients see it, over its own addresses.

mod arm;
mod assertion;
mod client;
mod control;
mod discovery;
mod entra;
mod front;
mod login;
mod relay;
mod signing_key;
mod step_up;
mod workload;
