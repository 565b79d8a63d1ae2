//! The command as people meet it: real `ssh`, `scp`, `ssh-keygen`, `ssh-add`, `sshd` and GNOME Keyring around the built
//! binary, on the sandbox, in a home folder of their own.
//!
//! A test that cannot run because a program is missing fails; `tests/run` installs what is needed.

#![cfg(unix)]
#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::string_slice,
    clippy::too_many_lines,
    clippy::unwrap_used,
    reason = "tests"
)]

mod aadsts;
mod adding;
mod agent;
mod agent_cost;
mod agent_life;
mod agent_protocol;
mod browser;
mod bulk;
mod callers;
mod certificate;
mod chromium;
mod config;
mod config_file;
mod connect;
mod direct;
mod ed25519;
mod end_to_end;
mod endurance;
mod faults;
mod first_use;
mod forward;
mod forwarding;
mod hostile_text;
mod http_proxy;
mod identity;
mod interop;
mod keyring;
mod kill;
mod login;
mod login_names;
mod logout;
mod memory;
mod network;
mod output;
mod pinned;
mod pipelines;
mod places;
mod public_key;
mod refusals;
mod rotation;
mod same_machine;
mod screens;
mod secrets;
mod shapes;
mod sleep;
mod soak;
mod status;
mod step_up;
mod tenants;
mod why;
mod world;
mod written;
mod wrong_login_name;
