//! Carries what a client sends on a channel to where it belongs.
//!
//! One loop serves both directions of an SSH connection here. If it had to wait for a slow sink, it
//! would not see the client's window adjustments, and `cat` on a large file would stand still for
//! ever. So what a sink has not taken yet waits in memory, without a bound.

use bytes::Bytes;
use russh::server::Msg;
use russh::{Channel, ChannelMsg, ChannelReadHalf};
use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

/// Feeds a channel's data to `sink`, closes `sink` at the client's EOF, and returns when the client
/// closes the channel or goes away.
pub(super) async fn feed(channel: ChannelReadHalf, sink: impl AsyncWrite + Unpin) {
    let (queue, waiting) = mpsc::unbounded_channel();
    let take = take(channel, queue);
    tokio::pin!(take);
    tokio::select! {
        () = &mut take => return,
        () = put(waiting, sink) => (),
    }
    take.await;
}

/// Joins a channel to a socket until both directions have ended, or the client closes the channel.
pub(super) async fn join(channel: Channel<Msg>, socket: TcpStream) {
    let (mut from_socket, to_socket) = socket.into_split();
    let (reader, writer) = channel.split();
    let (queue, waiting) = mpsc::unbounded_channel();
    let back = async {
        let _ = tokio::io::copy(&mut from_socket, &mut writer.make_writer()).await;
        let _ = writer.eof().await;
    };
    tokio::select! {
        () = take(reader, queue) => (),
        ((), ()) = async { tokio::join!(back, put(waiting, to_socket)) } => (),
    }
    let _ = writer.close().await;
}

async fn take(mut channel: ChannelReadHalf, queue: mpsc::UnboundedSender<Bytes>) {
    let mut queue = Some(queue);
    while let Some(message) = channel.wait().await {
        match message {
            ChannelMsg::Data { data } => {
                if let Some(queue) = &queue {
                    // A sink that is closed already wants no more; the client need not know.
                    let _ = queue.send(data);
                }
            }
            ChannelMsg::Eof => queue = None,
            ChannelMsg::Close => return,
            _ => (),
        }
    }
}

async fn put(mut waiting: mpsc::UnboundedReceiver<Bytes>, mut sink: impl AsyncWrite + Unpin) {
    while let Some(data) = waiting.recv().await {
        if sink.write_all(&data).await.is_err() || sink.flush().await.is_err() {
            return;
        }
    }
    let _ = sink.shutdown().await;
}
