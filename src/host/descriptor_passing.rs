//! Passes a connection to the parent process, as `ProxyUseFDPass` of `ssh_config(5)` describes: ssh receives the descriptor
//! in a message over our standard output, and uses it as if it had opened the connection itself.

use std::io;

use tokio::net::TcpStream;

/// Returns whether the parent process waits for a descriptor. ssh then makes one socket both input and output; a parent that
/// relays bytes through us uses two pipes, or two sockets.
#[cfg(unix)]
#[must_use]
pub(crate) fn is_awaited() -> bool {
    use rustix::fs::{FileType, fstat};
    use rustix::net::{AddressFamily, getsockname};
    let (input, output) = (io::stdin(), io::stdout());
    let (Ok(input), Ok(status)) = (fstat(&input), fstat(&output)) else {
        return false;
    };
    FileType::from_raw_mode(status.st_mode) == FileType::Socket
        && (input.st_dev, input.st_ino) == (status.st_dev, status.st_ino)
        && getsockname(&output).is_ok_and(|name| name.address_family() == AddressFamily::UNIX)
}

/// Passes a connection to the parent process over standard output.
///
/// # Errors
/// The system's error, most likely because the parent process has exited.
#[cfg(unix)]
pub(crate) fn pass(connection: TcpStream) -> io::Result<()> {
    pass_over(&io::stdout(), connection)
}

#[cfg(unix)]
fn pass_over(socket: &impl std::os::fd::AsFd, connection: TcpStream) -> io::Result<()> {
    use std::io::IoSlice;
    use std::mem::MaybeUninit;
    use std::os::fd::AsFd as _;

    use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
    let connection = connection.into_std()?;
    // ssh expects a blocking socket, and the flag belongs to the connection, not to our descriptor.
    connection.set_nonblocking(false)?;
    let descriptors = [connection.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut message = SendAncillaryBuffer::new(&mut space);
    if !message.push(SendAncillaryMessage::ScmRights(&descriptors)) {
        return Err(io::ErrorKind::OutOfMemory.into());
    }
    // A descriptor has to accompany at least one byte, and ssh expects exactly one.
    let byte = [IoSlice::new(&[0])];
    loop {
        match sendmsg(socket, &byte, &mut message, SendFlags::empty()) {
            Err(rustix::io::Errno::INTR) => {}
            sent => return sent.map(drop).map_err(io::Error::from),
        }
    }
}

/// Returns `false`: this system cannot pass descriptors.
#[cfg(not(unix))]
#[must_use]
pub const fn is_awaited() -> bool {
    false
}

/// Fails: this system cannot pass descriptors.
///
/// # Errors
/// `Unsupported`.
#[cfg(not(unix))]
pub fn pass(_connection: TcpStream) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::io::{IoSliceMut, Read as _, Write as _};
    use std::mem::MaybeUninit;
    use std::net::{TcpListener, TcpStream as StdTcpStream};
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixStream;

    use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};

    use super::*;

    fn receive(socket: &UnixStream) -> (usize, Vec<OwnedFd>) {
        let mut byte = [1; 8];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
        let mut message = RecvAncillaryBuffer::new(&mut space);
        let mut slices = [IoSliceMut::new(&mut byte)];
        let received = recvmsg(socket, &mut slices, &mut message, RecvFlags::empty()).unwrap();
        let descriptors = message.drain().flat_map(|part| match part {
            RecvAncillaryMessage::ScmRights(descriptors) => descriptors.collect(),
            _ => Vec::new(),
        });
        (received.bytes, descriptors.collect())
    }

    #[tokio::test]
    async fn what_is_passed_is_the_connection_itself_and_blocks() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let connection = TcpStream::connect(listener.local_addr().unwrap()).await;
        let (mut far, _) = listener.accept().unwrap();
        let (ours, theirs) = UnixStream::pair().unwrap();
        pass_over(&ours, connection.unwrap()).unwrap();
        let (bytes, mut descriptors) = receive(&theirs);
        assert_eq!((bytes, descriptors.len()), (1, 1));
        let passed = descriptors.remove(0);
        let flags = rustix::fs::fcntl_getfl(&passed).unwrap();
        assert!(!flags.contains(rustix::fs::OFlags::NONBLOCK));
        let mut passed = StdTcpStream::from(passed);
        passed.write_all(b"hello").unwrap();
        let mut heard = [0; 5];
        far.read_exact(&mut heard).unwrap();
        assert_eq!(&heard, b"hello");
    }

    #[tokio::test]
    async fn nobody_at_the_other_end_is_an_error() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let connection = TcpStream::connect(listener.local_addr().unwrap()).await;
        let (ours, theirs) = UnixStream::pair().unwrap();
        drop(theirs);
        assert!(pass_over(&ours, connection.unwrap()).is_err());
    }
}
