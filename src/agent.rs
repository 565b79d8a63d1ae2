//! The agent: one process a user that holds keys and relay credentials in memory, renews what expires, and answers ssh.
//!
//! It is an ssh agent (PROTOCOL.agent, draft-ietf-sshm-ssh-agent) on a socket that only its user can open, and it answers our
//! own programs on a socket beside it through an extension of that protocol ([`ask`]). Whoever needs it starts it, or
//! systemd does; after an hour without a question it ends. It asks nobody anything: what needs a person is told to whoever
//! asked.
//!
//! ```text
//! server ── connection ── requests     what ssh and its kin ask: list, sign, remove
//!   │           │─ answers             what our own programs ask
//!   │           └─ bindings            which session a connection is for, and what may be signed through it
//!   ├─ accounts ── account             what is held for each profile
//!   │              └─ addresses        where it has seen VMs
//!   └─ tend         └─ renewal         in the background, before anybody has to wait
//! ```
//!
//! What `ssh-add -d` or `-D` removes is forgotten here and not in the keyring: ssh does not see it any more until one of our
//! own programs asks for it, as the `ProxyCommand` of a managed host does.

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
mod doors;
pub(crate) mod hand_over;
pub(crate) mod memory;
pub(crate) mod orphans;
mod passphrase_lock;
mod places;
mod renewal;
mod requests;
mod server;
mod state;
pub(crate) mod systemd;

pub(crate) use self::server::{DEFAULT_IDLE_SECONDS, serve};
