//! The user's own agent, at `SSH_AUTH_SOCK`: our certificate is added to it, those of ours that are over are taken out, and
//! nothing else in it is touched.

use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::wire::read_message;
use crate::certificate::{PrivateNumbers, Unverified};
use crate::failure::Failure;
use crate::issue::Issued;
use crate::openssh::add_identity;
use crate::openssh::agent_protocol::{OfferedKey, Request, Response};
use crate::time::UnixTime;

/// What the comments of ours begin with.
const MARK: &str = "entra-ssh ";
/// How long an answer may take; some agents ask a person.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// Adds key and certificate to the agent at `socket` for as long as the certificate lives, unless they are there, and takes
/// out what is ours and over, or of the same account and replaced. The key is added bare, too: ssh asks for that one where the
/// certificate is in a file.
///
/// # Errors
/// [`Failure`] if it does not answer or does not take them.
pub(crate) async fn keep(
    socket: &Path,
    issued: &Issued,
    account: &str,
    now: UnixTime,
) -> Result<(), Failure> {
    let failed = |error: &io::Error| {
        Failure::new(format!("cannot use your agent at `{}`", socket.display()))
            .caused_by(error)
            .hint("start it (eval $(ssh-agent)), or use ours: entra-ssh config add NAME --identity agent")
    };
    let mut stream = UnixStream::connect(socket)
        .await
        .map_err(|error| failed(&error))?;
    check_owner(socket, &stream)?;
    let comment = format!("{MARK}{account}");
    let held = list(&mut stream).await.map_err(|error| failed(&error))?;
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
            let answer = exchange(&mut stream, &message).await;
            let answer = answer.map_err(|error| failed(&error))?;
            if Response::success_contents(&answer).is_none() {
                return Err(refused(socket));
            }
        }
    }
    for key in others {
        if key.comment == comment || is_over(&key.blob, now) {
            let request = Request::Remove { key: &key.blob };
            exchange(&mut stream, &request.encode())
                .await
                .map_err(|error| failed(&error))?;
        }
    }
    Ok(())
}

/// Refuses to hand a private key to a program of another user, which `sudo -E` would do. Root sees it in any case.
fn check_owner(socket: &Path, stream: &UnixStream) -> Result<(), Failure> {
    let owner = stream.peer_cred().map_or(0, |peer| peer.uid());
    if owner == 0 || owner == rustix::process::geteuid().as_raw() {
        return Ok(());
    }
    Err(Failure::new(format!(
        "the agent at `{}` is of another user (uid {owner})",
        socket.display()
    ))
    .hint("run entra-ssh without sudo, or unset SSH_AUTH_SOCK"))
}

fn refused(socket: &Path) -> Failure {
    Failure::new(format!(
        "your agent at `{}` does not take a key with a lifetime",
        socket.display()
    ))
    .hint("use ours: entra-ssh config add NAME --identity agent")
}

/// Takes out what is ours of an account; tells whether there was any. An agent that does not answer holds nothing any more that
/// could be taken out.
pub(crate) async fn forget(socket: &Path, account: &str) -> bool {
    let comment = format!("{MARK}{account}");
    let Ok(mut stream) = UnixStream::connect(socket).await else {
        return false;
    };
    if check_owner(socket, &stream).is_err() {
        return false;
    }
    let mut has_removed = false;
    for key in list(&mut stream).await.unwrap_or_default() {
        if key.comment == comment {
            let request = Request::Remove { key: &key.blob }.encode();
            let answer = exchange(&mut stream, &request).await;
            has_removed |= answer.is_ok_and(|answer| Response::success_contents(&answer).is_some());
        }
    }
    has_removed
}

/// Tells whether a blob is a certificate that has ended. What is no certificate does not end.
fn is_over(blob: &[u8], now: UnixTime) -> bool {
    Unverified::from_blob(blob).is_ok_and(|certificate| certificate.validity().1 <= now)
}

async fn list(stream: &mut UnixStream) -> io::Result<Vec<OfferedKey>> {
    let answer = exchange(stream, &Request::RequestIdentities.encode()).await?;
    Response::identities(&answer)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "it does not list its keys"))
}

async fn exchange(
    stream: &mut UnixStream,
    message: &[u8],
) -> io::Result<zeroize::Zeroizing<Vec<u8>>> {
    let answer = timeout(ANSWER_LIMIT, async {
        stream.write_all(message).await?;
        read_message(stream).await
    });
    answer
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
        let (mut ours, mut theirs) = UnixStream::pair().unwrap();
        let agent = async {
            read_message(&mut theirs).await.unwrap();
            sleep(time).await;
            // Whoever asks may have left by then.
            let _written = theirs.write_all(&[0, 0, 0, 1, 5]).await;
        };
        let request = Request::RequestIdentities.encode();
        let answer = tokio::join!(exchange(&mut ours, &request), agent).0;
        answer.map(|answer| answer.to_vec())
    }

    #[tokio::test(start_paused = true)]
    async fn another_agent_may_take_just_short_of_the_limit_and_no_longer() {
        let moment = Duration::from_millis(1);
        let answer = exchanged_with_one_that_takes(ANSWER_LIMIT.saturating_sub(moment)).await;
        assert_eq!(answer.unwrap(), [5]);
        let failure = exchanged_with_one_that_takes(ANSWER_LIMIT + moment).await;
        assert_eq!(failure.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }
}
