//! TCP connections that notice when the other end is gone.

use std::io;
use std::time::Duration;

use tokio::net::TcpStream;

/// How long a connection may be idle before it is probed.
const IDLE: Duration = Duration::from_secs(30);
/// How often it is probed then.
const PROBE_INTERVAL: Duration = Duration::from_secs(10);
/// How many probes may go unanswered.
const PROBES: u32 = 3;
/// How long what was sent may go unacknowledged, in milliseconds. A peer that takes nothing but answers is not gone.
#[cfg(target_os = "linux")]
const UNACKNOWLEDGED_MILLISECONDS: u32 = 60_000;

/// Sends small pieces at once, and sees to it that a link that has died is noticed within about a minute, whether it idles
/// or sends.
///
/// # Errors
/// What the system says.
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
