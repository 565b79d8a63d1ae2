//! Messages of PROTOCOL.agent, read from a stream.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use zeroize::Zeroizing;

use super::agent_protocol::{MAX_MESSAGE_BYTES, message_length};

/// Reads one message without its length; `None` if the stream ended before it.
pub(crate) async fn read_message(
    stream: &mut (impl AsyncRead + Unpin),
) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    let mut first = [0];
    match stream.read(&mut first).await? {
        0 => Ok(None),
        _ => read_rest(stream, first).await.map(Some),
    }
}

/// Reads the rest of a message that begins with this byte, and returns it without its length.
pub(crate) async fn read_rest(
    stream: &mut (impl AsyncRead + Unpin),
    [first]: [u8; 1],
) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut rest = [0; 3];
    stream.read_exact(&mut rest).await?;
    let [second, third, fourth] = rest;
    let length = message_length([first, second, third, fourth]).ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::InvalidData,
            format!("a message is empty or longer than {MAX_MESSAGE_BYTES} bytes"),
        )
    })?;
    let mut message = Zeroizing::new(vec![0; length]);
    stream.read_exact(&mut message).await?;
    Ok(message)
}
