//! The agent: one process for each user that holds keys and relay credentials in memory, renews them and answers ssh.
//!
//! It is an ssh agent (PROTOCOL.agent, draft-ietf-sshm-ssh-agent) on a socket that only its user can open. It answers our own
//! programs on a socket beside it, through an extension of that protocol ([`ask`]). The first caller starts it, or systemd does;
//! it stops after an hour without a request. It never prompts: if the user has to act, the caller gets an error that says so.
//!
//! ```text
//! server ── connection ── requests     from ssh and related tools: list, sign, remove
//!   │           │─ answers             to our own programs, which ask through `client`
//!   │           └─ bindings            the session that a connection is for, and what may be signed through it
//!   ├─ sockets                         opened, or handed over by systemd or by the agent of an older program
//!   └─ state ── accounts ── account    what is held for each profile
//!               │           └─ certificates, renewal
//!               └─ background          renews before a caller has to wait
//! ```
//!
//! What `ssh-add -d` or `-D` removes is forgotten here and stays in the keyring: ssh does not see it until one of our own
//! programs asks for it, as the `ProxyCommand` of a managed host does.

mod account;
mod accounts;
mod answers;
pub(crate) mod ask;
mod background;
mod bindings;
mod bounded;
pub(crate) mod caller;
mod certificates;
pub(crate) mod client;
mod connection;
pub(crate) mod hand_over;
pub(crate) mod memory;
pub(crate) mod orphans;
mod passphrase_lock;
mod places;
mod renewal;
mod requests;
mod server;
mod sockets;
mod state;
pub(crate) mod systemd;

pub(crate) use self::server::{DEFAULT_IDLE_SECONDS, serve};
