//! The user's own agent, at `SSH_AUTH_SOCK`: our certificate is added to it, those of ours that have expired are removed, and no
//! other key in it is touched.

use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::time::timeout;

use super::error::IdentityError;
use crate::certificate::{PrivateNumbers, Unverified};
use crate::host::local_socket::{LocalStream, this_user};
use crate::ids::TenantId;
use crate::issue::Issued;
use crate::openssh::add_identity;
use crate::openssh::agent_protocol::{OfferedKey, Request, Response};
use crate::openssh::agent_stream::read_message;
use crate::session::Profile;
use crate::time::UnixTime;

/// What the comments of our keys begin with.
const MARK: &str = "entra-ssh ";
/// How long a reply may take; some agents prompt the user.
const REPLY_LIMIT: Duration = Duration::from_secs(30);

/// Returns the label of a profile's key in a tenant: its comment, without [`MARK`].
pub(super) fn label(profile: &Profile, tenant: &TenantId) -> String {
    if *tenant == profile.tenant {
        profile.account.to_string()
    } else {
        format!("{} {tenant}", profile.account)
    }
}

/// Adds key and certificate to the agent at `socket` until the certificate expires, unless they are there, and removes those of
/// ours that have expired, or have this label and are replaced. The key is added bare, too: ssh asks for that one if the
/// certificate is in a file.
///
/// # Errors
/// [`IdentityError`] if it does not answer or does not take them.
pub(super) async fn add(
    socket: &Path,
    issued: &Issued,
    label: &str,
    now: UnixTime,
) -> Result<(), IdentityError> {
    let failed = |source| IdentityError::AgentUnavailable {
        socket: socket.to_owned(),
        source,
    };
    let mut stream = LocalStream::connect(socket).await.map_err(failed)?;
    check_owner(socket, &stream)?;
    let comment = format!("{MARK}{label}");
    let held = list(&mut stream).await.map_err(failed)?;
    let (certificate, key) = (
        issued.certificate.blob(),
        issued.key_pair.public_key().blob(),
    );
    let (ours, others): (Vec<_>, Vec<_>) = held
        .iter()
        .filter(|held| held.comment.starts_with(MARK))
        .partition(|held| held.blob == certificate || held.blob == key);
    if ours.len() < 2 {
        let left = issued.certificate.validity().1.since(now).as_secs();
        let seconds = u32::try_from(left).unwrap_or(u32::MAX);
        let numbers = PrivateNumbers::of(&issued.key_pair)?;
        for certificate in [Some(certificate), None] {
            let message = add_identity::add(&numbers, certificate, &comment, seconds);
            let reply = exchange(&mut stream, &message).await.map_err(failed)?;
            if Response::success_contents(&reply).is_none() {
                let socket = socket.to_owned();
                return Err(IdentityError::AgentRefused { socket });
            }
        }
    }
    for key in others {
        if key.comment == comment || has_expired(&key.blob, now) {
            let request = Request::Remove { key: &key.blob }.encode();
            exchange(&mut stream, &request).await.map_err(failed)?;
        }
    }
    Ok(())
}

/// Removes our keys of a label; returns whether there were any. An agent that does not answer holds none that could be removed.
pub(super) async fn remove(socket: &Path, label: &str) -> bool {
    let comment = format!("{MARK}{label}");
    let Ok(mut stream) = LocalStream::connect(socket).await else {
        return false;
    };
    if check_owner(socket, &stream).is_err() {
        return false;
    }
    let mut has_removed = false;
    for key in list(&mut stream).await.unwrap_or_default() {
        if key.comment == comment {
            let request = Request::Remove { key: &key.blob }.encode();
            let reply = exchange(&mut stream, &request).await;
            has_removed |= reply.is_ok_and(|reply| Response::success_contents(&reply).is_some());
        }
    }
    has_removed
}

/// Refuses to hand a private key to a program of another user, which `sudo -E` would do. Root sees it in any case.
fn check_owner(socket: &Path, stream: &LocalStream) -> Result<(), IdentityError> {
    let owner = stream.peer_user().unwrap_or_default();
    if owner == 0 || owner == this_user() {
        return Ok(());
    }
    let socket = socket.to_owned();
    Err(IdentityError::AgentForeign { socket, owner })
}

/// Returns whether a blob is a certificate that has expired. A plain key does not expire.
fn has_expired(blob: &[u8], now: UnixTime) -> bool {
    Unverified::from_blob(blob).is_ok_and(|certificate| certificate.validity().1 <= now)
}

async fn list(stream: &mut LocalStream) -> io::Result<Vec<OfferedKey>> {
    let reply = exchange(stream, &Request::RequestIdentities.encode()).await?;
    Response::identities(&reply)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "it does not list its keys"))
}

async fn exchange(
    stream: &mut LocalStream,
    message: &[u8],
) -> io::Result<zeroize::Zeroizing<Vec<u8>>> {
    let reply = timeout(REPLY_LIMIT, async {
        stream.write_all(message).await?;
        read_message(stream).await
    });
    reply
        .await
        .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??
        .ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;

    /// Asks an agent that answers after so long.
    async fn exchanged_with_one_that_takes(time: Duration) -> io::Result<Vec<u8>> {
        let (mut ours, mut theirs) = LocalStream::pair().unwrap();
        let agent = async {
            read_message(&mut theirs).await.unwrap();
            sleep(time).await;
            // The client may have left by then.
            let _written = theirs.write_all(&[0, 0, 0, 1, 5]).await;
        };
        let request = Request::RequestIdentities.encode();
        let answer = tokio::join!(exchange(&mut ours, &request), agent).0;
        answer.map(|answer| answer.to_vec())
    }

    #[tokio::test(start_paused = true)]
    async fn another_agent_may_take_just_short_of_the_limit_and_no_longer() {
        let moment = Duration::from_millis(1);
        let answer = exchanged_with_one_that_takes(REPLY_LIMIT.saturating_sub(moment)).await;
        assert_eq!(answer.unwrap(), [5]);
        let failure = exchanged_with_one_that_takes(REPLY_LIMIT + moment).await;
        assert_eq!(failure.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }
}
