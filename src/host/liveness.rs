//! TCP connections that detect a dead peer.

use std::io;
use std::time::Duration;

use tokio::net::TcpStream;

/// How long a connection may be idle before the first probe.
const IDLE: Duration = Duration::from_secs(30);
/// The interval between probes.
const PROBE_INTERVAL: Duration = Duration::from_secs(10);
/// How many probes may go unanswered.
const PROBES: u32 = 3;
/// How long sent data may go unacknowledged, in milliseconds. A peer that accepts no data but answers is not dead.
#[cfg(target_os = "linux")]
const UNACKNOWLEDGED_MILLISECONDS: u32 = 60_000;

/// Disables Nagle's algorithm, and enables the detection of a dead peer within about a minute, whether the connection is
/// idle or sending.
///
/// # Errors
/// The system's error.
pub(crate) fn set(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    #[cfg(unix)]
    {
        use rustix::net::sockopt;
        sockopt::set_socket_keepalive(stream, true)?;
        sockopt::set_tcp_keepidle(stream, IDLE)?;
        sockopt::set_tcp_keepintvl(stream, PROBE_INTERVAL)?;
        sockopt::set_tcp_keepcnt(stream, PROBES)?;
        #[cfg(target_os = "linux")]
        sockopt::set_tcp_user_timeout(stream, UNACKNOWLEDGED_MILLISECONDS)?;
    }
    Ok(())
}
