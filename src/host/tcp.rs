//! TCP connections: to the first address of a host that answers (RFC 8305), with detection of a dead peer.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{sleep, timeout};

use super::liveness;

/// How long to wait for one address before the next attempt starts in parallel (RFC 8305, section 5).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);
/// The maximum number of addresses of a host to try.
const MAX_ADDRESSES: usize = 16;

/// Opens a connection to a host name or an address, within `limit` in all.
///
/// It tries the addresses in the order of the system, alternating between the two families. Each attempt starts shortly
/// after the previous one, or as soon as that has failed, and the first to succeed wins. The connection does not delay small
/// writes, and detects a dead peer ([`liveness::set`]).
///
/// # Errors
/// The system's error for the name, or for the first address that failed; `TimedOut` if the limit has passed.
pub(crate) async fn connect(host: &str, port: u16, limit: Duration) -> io::Result<TcpStream> {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    within(limit, async {
        let addresses = lookup_host((host, port)).await?;
        connect_to_any(addresses).await
    })
    .await
}

/// Opens a connection to any of these addresses, as [`connect`] does to those of a name.
///
/// # Errors
/// As [`connect`].
pub(crate) async fn connect_to(
    addresses: impl Iterator<Item = SocketAddr>,
    limit: Duration,
) -> io::Result<TcpStream> {
    within(limit, connect_to_any(addresses)).await
}

async fn within<T>(limit: Duration, job: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(limit, job)
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

async fn connect_to_any(addresses: impl Iterator<Item = SocketAddr>) -> io::Result<TcpStream> {
    let stream = race(interleave(addresses), |address| {
        Box::pin(TcpStream::connect(address))
    })
    .await?;
    liveness::set(&stream)?;
    Ok(stream)
}

/// Orders addresses so that the families alternate, starting with that of the first address.
fn interleave(addresses: impl Iterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    let mut first_family = Vec::new();
    let mut other_family = Vec::new();
    for address in addresses {
        match first_family.first() {
            Some(first) if SocketAddr::is_ipv6(first) != address.is_ipv6() => {
                other_family.push(address);
            }
            _ => first_family.push(address),
        }
    }
    let mut other_family = other_family.into_iter();
    let mut ordered = Vec::new();
    for address in first_family {
        ordered.push(address);
        ordered.extend(other_family.next());
    }
    ordered.extend(other_family);
    ordered.truncate(MAX_ADDRESSES);
    ordered
}

/// Starts one attempt after another. Returns the first success, or the first error if all fail.
async fn race<T>(
    addresses: Vec<SocketAddr>,
    attempt: impl Fn(SocketAddr) -> Pin<Box<dyn Future<Output = io::Result<T>> + Send>>,
) -> io::Result<T> {
    let mut waiting = addresses.into_iter();
    let mut running = FuturesUnordered::new();
    let mut failure = None;
    loop {
        running.extend(waiting.next().map(&attempt));
        let has_more = waiting.len() > 0;
        let ended = tokio::select! {
            ended = running.next() => ended,
            () = sleep(ATTEMPT_DELAY), if has_more => continue,
        };
        match ended {
            Some(Ok(stream)) => return Ok(stream),
            Some(Err(error)) => failure = failure.or(Some(error)),
            None => {
                return Err(failure.unwrap_or_else(|| io::Error::other("no address")));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn families_take_turns_and_the_first_goes_first() {
        let given = addresses(&["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1"]);
        let expected = addresses(&["[::1]:1", "1.1.1.1:1", "[::2]:1", "[::3]:1"]);
        assert_eq!(interleave(given.into_iter()), expected);
        let many = (0..100).map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        assert_eq!(interleave(many).len(), MAX_ADDRESSES);
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_address_holds_up_the_next_one_for_a_moment_only() {
        let begun = Instant::now();
        let silent = addresses(&["[::1]:1"])[0];
        let taken = race(addresses(&["[::1]:1", "1.1.1.1:1"]), move |address| {
            Box::pin(async move {
                if address == silent {
                    std::future::pending::<()>().await;
                }
                Ok(address)
            })
        });
        assert_eq!(taken.await.unwrap(), addresses(&["1.1.1.1:1"])[0]);
        assert!(begun.elapsed() >= ATTEMPT_DELAY);
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_address_does_not_hold_up_the_next_one_and_the_first_refusal_is_told() {
        let begun = Instant::now();
        let refused = race(addresses(&["[::1]:1", "1.1.1.1:2"]), |address| {
            Box::pin(async move { Err::<(), _>(io::Error::other(address.port().to_string())) })
        });
        assert_eq!(refused.await.unwrap_err().to_string(), "1");
        assert!(begun.elapsed() < ATTEMPT_DELAY);
    }

    #[tokio::test]
    async fn a_connection_is_opened_by_name_and_by_address() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        for host in ["localhost", "127.0.0.1"] {
            let stream = connect(host, port, Duration::from_secs(5)).await.unwrap();
            assert!(stream.nodelay().unwrap());
        }
    }
}
