//! A joined connection: messages both ways, one at a time, until one side leaves.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt as _};
use tokio::io::AsyncWriteExt as _;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::Socket;
use crate::world::lock;

/// A peer gets this long to answer a close.
const CLOSE_TIME: Duration = Duration::from_secs(1);

/// A fault of a joined connection.
#[derive(Clone, Debug)]
pub(crate) struct Trip {
    after_bytes: u64,
    /// How both sides are told; `None` means that bytes just stop.
    close: Option<CloseFrame>,
}

impl Trip {
    pub(crate) fn close(after_bytes: u64, code: u16, reason: &str) -> Self {
        Self {
            after_bytes,
            close: Some(CloseFrame {
                code: code.into(),
                reason: reason.into(),
            }),
        }
    }

    pub(crate) fn stall(after_bytes: u64) -> Self {
        Self {
            after_bytes,
            close: None,
        }
    }
}

/// Why a connection ended.
enum End {
    /// A side closed it, with these words.
    Closed(Option<CloseFrame>),
    /// A side is gone without a word.
    Lost,
    /// Both sides are told so.
    Tripped(CloseFrame),
}

#[derive(Clone, Copy)]
enum Side {
    Listener,
    Sender,
}

/// What both directions know of each other.
struct Meter {
    trip: Option<Trip>,
    state: Mutex<(u64, Instant)>,
}

impl Meter {
    fn count(&self, bytes: usize) {
        let mut state = lock(&self.state);
        state.0 = state
            .0
            .saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        state.1 = Instant::now();
    }

    fn tripped(&self) -> Option<&Trip> {
        let carried = lock(&self.state).0;
        self.trip
            .as_ref()
            .filter(|trip| carried >= trip.after_bytes)
    }

    /// Returns when nothing moved for that long.
    async fn idle(&self, limit: Duration) {
        loop {
            let since = lock(&self.state).1.elapsed();
            if since >= limit {
                return;
            }
            tokio::time::sleep(limit.saturating_sub(since)).await;
        }
    }
}

/// Carries messages until the connection ends.
pub(crate) async fn run(sender: Socket, listener: Socket, idle_time: Duration, trip: Option<Trip>) {
    let meter = Meter {
        trip,
        state: Mutex::new((0, Instant::now())),
    };
    let (mut to_sender, mut from_sender) = sender.split();
    let (mut to_listener, mut from_listener) = listener.split();
    let end = tokio::select! {
        end = pump(&mut from_sender, &mut to_listener, &meter) => Some((Side::Sender, end)),
        end = pump(&mut from_listener, &mut to_sender, &meter) => Some((Side::Listener, end)),
        () = meter.idle(idle_time) => None,
    };
    // Both halves come from the same socket each, so they fit together again.
    let (Ok(sender), Ok(listener)) = (
        to_sender.reunite(from_sender),
        to_listener.reunite(from_listener),
    ) else {
        return;
    };
    let (to_sender, to_listener) = match end {
        // An idle connection is dropped the way a middlebox does it.
        None => return,
        Some((_, End::Tripped(frame))) => (Some(frame.clone()), Some(frame)),
        Some((Side::Sender, End::Closed(frame))) => (None, frame),
        Some((Side::Listener, End::Closed(frame))) => (frame, None),
        Some((Side::Sender, End::Lost)) => (None, Some(sender_is_gone())),
        Some((Side::Listener, End::Lost)) => (Some(listener_is_gone()), None),
    };
    tokio::join!(close(sender, to_sender), close(listener, to_listener));
}

/// Carries messages one way.
async fn pump(
    from: &mut SplitStream<Socket>,
    to: &mut SplitSink<Socket, Message>,
    meter: &Meter,
) -> End {
    loop {
        match meter.tripped().map(|trip| trip.close.clone()) {
            Some(Some(frame)) => return End::Tripped(frame),
            Some(None) => std::future::pending().await,
            None => {}
        }
        let Some(Ok(message)) = from.next().await else {
            return End::Lost;
        };
        if meter.tripped().is_some() {
            continue;
        }
        match message {
            Message::Binary(_) | Message::Text(_) => {
                let length = message.len();
                if to.send(message).await.is_err() {
                    // The other direction knows more about why.
                    std::future::pending::<()>().await;
                }
                meter.count(length);
            }
            Message::Close(frame) => return End::Closed(frame),
            // Answered where they arrive; they keep the connection alive.
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => meter.count(0),
        }
    }
}

/// Closes a socket, and waits a little for the peer to agree.
///
/// Without a frame it is the peer who closed, and it still waits for the answer to that.
pub(crate) async fn close(mut socket: Socket, frame: Option<CloseFrame>) {
    let farewell = async {
        let closed = match frame {
            Some(frame) => socket.close(Some(frame)).await,
            None => SinkExt::close(&mut socket).await,
        };
        // A side that is gone takes no more; that is fine.
        if closed.is_ok() {
            while let Some(Ok(_)) = socket.next().await {}
        }
        socket.get_mut().shutdown().await
    };
    // A peer that does not answer is dropped.
    let _: Result<_, _> = tokio::time::timeout(CLOSE_TIME, farewell).await;
}

pub(crate) fn sender_is_gone() -> CloseFrame {
    CloseFrame {
        code: CloseCode::Away,
        reason: "the sender closed the connection".into(),
    }
}

fn listener_is_gone() -> CloseFrame {
    CloseFrame {
        code: CloseCode::Away,
        reason: "the listener closed the connection".into(),
    }
}
