//! Sockets between processes of one machine.
//!
//! On Unix they are Unix sockets. A named pipe can take their place on Windows; until it does, every attempt fails there and says
//! so.

#[cfg(not(unix))]
#[path = "local_socket/elsewhere.rs"]
mod system;
#[cfg(unix)]
#[path = "local_socket/unix.rs"]
mod system;

pub(crate) use self::system::{
    LocalListener, LocalStream, SocketFile, inherited_listeners, this_user,
};
