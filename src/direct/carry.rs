use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::error::DirectError;
use crate::host::output::Output;

/// The most bytes that are carried in one piece, each way.
const PIECE_BYTES: usize = 64 * 1024;
/// How often to check that our output still has a reader, while the machine sends nothing.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// How long the input may stay silent once the machine's side has ended.
const LINGER_LIMIT: Duration = Duration::from_secs(2);

/// How one direction ended.
enum End {
    /// The output has no reader any more.
    Abandoned,
    /// The machine's side has sent all that it had.
    Far,
}

/// Carries bytes both ways until both sides have ended. The end of either side is passed on to the other: the end of `input`
/// closes only our half of the connection.
///
/// Once the machine's side has ended, an input that stays open and silent is waited for only briefly. An output without a
/// reader ends the connection at once.
///
/// # Errors
/// [`DirectError::Dropped`] if the connection broke before the input had ended.
pub(crate) async fn carry(
    machine: &str,
    mut stream: TcpStream,
    input: impl AsyncRead + Unpin,
    output: impl Output + Send,
) -> Result<(), DirectError> {
    let (from_machine, to_machine) = stream.split();
    let (has_input_ended, has_machine_ended) = (AtomicBool::new(false), AtomicBool::new(false));
    let up = async {
        // If sending fails, the receiving side reports why.
        let _sent = send(input, to_machine, &has_machine_ended).await;
        has_input_ended.store(true, Ordering::Relaxed);
    };
    let down = async {
        let mut output = output;
        match receive(from_machine, &mut output).await {
            Ok(End::Abandoned) => Ok(End::Abandoned),
            Ok(End::Far) => {
                has_machine_ended.store(true, Ordering::Relaxed);
                // A reader that has gone is not a failure of the connection.
                let _closed = output.close().await;
                Ok(End::Far)
            }
            // After the end of a session, servers may answer what was sent last with a reset.
            Err(_) if has_input_ended.load(Ordering::Relaxed) => Ok(End::Abandoned),
            Err(source) => Err(DirectError::Dropped {
                machine: machine.to_owned(),
                source,
            }),
        }
    };
    let (mut up, mut down) = (pin!(up), pin!(down));
    tokio::select! {
        () = &mut up => down.await.map(drop),
        ended = &mut down => {
            if matches!(ended?, End::Far) {
                up.await;
            }
            Ok(())
        }
    }
}

/// Sends all input, and then ends our half of the connection.
async fn send(
    mut input: impl AsyncRead + Unpin,
    mut machine: impl AsyncWrite + Unpin,
    has_machine_ended: &AtomicBool,
) -> io::Result<()> {
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let ended_before = has_machine_ended.load(Ordering::Relaxed);
        let Ok(read) = timeout(LINGER_LIMIT, input.read(&mut piece)).await else {
            if ended_before {
                return Ok(());
            }
            continue;
        };
        // An input that fails has ended.
        match piece.get(..read.unwrap_or_default()) {
            None | Some([]) => return machine.shutdown().await,
            Some(bytes) => machine.write_all(bytes).await?,
        }
    }
}

/// Passes on all that the machine sends.
async fn receive(mut machine: impl AsyncRead + Unpin, output: &mut impl Output) -> io::Result<End> {
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let Ok(read) = timeout(LOOK_INTERVAL, machine.read(&mut piece)).await else {
            if output.is_abandoned() {
                return Ok(End::Abandoned);
            }
            continue;
        };
        let length = read?;
        let bytes = piece.get(..length).unwrap_or_default();
        if bytes.is_empty() {
            return Ok(End::Far);
        }
        if output.write_all(bytes).await.is_err() || output.flush().await.is_err() {
            return Ok(End::Abandoned);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use tokio::io::DuplexStream;
    use tokio::net::TcpListener;
    use tokio::time::Instant;

    use super::*;

    /// One end of a pipe whose other end a test reads.
    struct Pipe(DuplexStream);

    impl AsyncWrite for Pipe {
        fn poll_write(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            Pin::new(&mut self.0).poll_write(context, bytes)
        }

        fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.0).poll_flush(context)
        }

        fn poll_shutdown(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
        ) -> Poll<io::Result<()>> {
            Pin::new(&mut self.0).poll_shutdown(context)
        }
    }

    impl Output for Pipe {}

    /// A connection that is being carried: the machine's end of it, and the other ends of our input and output.
    struct Carried {
        machine: TcpStream,
        input: DuplexStream,
        output: DuplexStream,
        outcome: tokio::task::JoinHandle<Result<(), String>>,
    }

    async fn carried() -> Carried {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap());
        let (stream, machine) = tokio::join!(stream, listener.accept());
        let (input, our_input) = tokio::io::duplex(1024);
        let (our_output, output) = tokio::io::duplex(1024);
        let outcome = tokio::spawn(async move {
            let ended = carry("vm01", stream.unwrap(), our_input, Pipe(our_output)).await;
            ended.map_err(|error| error.to_string())
        });
        Carried {
            machine: machine.unwrap().0,
            input,
            output,
            outcome,
        }
    }

    async fn all(mut from: impl AsyncRead + Unpin) -> Vec<u8> {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).await.unwrap();
        bytes
    }

    #[tokio::test]
    async fn the_end_of_the_input_ends_one_half_alone() {
        let mut it = carried().await;
        it.input.write_all(b"question").await.unwrap();
        drop(it.input);
        assert_eq!(all(&mut it.machine).await, b"question");
        it.machine.write_all(b"answer").await.unwrap();
        drop(it.machine);
        assert_eq!(all(it.output).await, b"answer");
        assert_eq!(it.outcome.await.unwrap(), Ok(()));
    }

    #[tokio::test]
    async fn the_end_of_the_machine_is_passed_on_and_ends_one_half_alone() {
        let mut it = carried().await;
        it.machine.write_all(b"answer").await.unwrap();
        it.machine.shutdown().await.unwrap();
        assert_eq!(all(it.output).await, b"answer");
        it.input.write_all(b"last words").await.unwrap();
        drop(it.input);
        assert_eq!(all(it.machine).await, b"last words");
        assert_eq!(it.outcome.await.unwrap(), Ok(()));
    }

    #[tokio::test]
    async fn an_input_that_stays_silent_does_not_hold_up_the_end() {
        let it = carried().await;
        let begun = Instant::now();
        drop(it.machine);
        assert_eq!(all(it.output).await, b"");
        assert_eq!(it.outcome.await.unwrap(), Ok(()));
        // Each piece of input may take the limit once more; without the limit, a silent input would block for ever.
        assert!(begun.elapsed() < 30 * LINGER_LIMIT);
        drop(it.input);
    }

    #[tokio::test]
    async fn an_output_that_nobody_reads_ends_it() {
        let mut it = carried().await;
        drop(it.output);
        it.machine.write_all(b"unread").await.unwrap();
        assert_eq!(it.outcome.await.unwrap(), Ok(()));
        drop(it.input);
    }

    #[tokio::test]
    async fn a_connection_that_breaks_is_told() {
        let it = carried().await;
        // Closed with something unread and without lingering, it is reset.
        rustix::net::sockopt::set_socket_linger(&it.machine, Some(Duration::ZERO)).unwrap();
        drop(it.machine);
        let told = it.outcome.await.unwrap();
        assert_eq!(told, Err("the connection to `vm01` broke".to_owned()));
        drop(it.input);
    }

    #[tokio::test]
    async fn large_pieces_arrive_whole_both_ways_at_once() {
        let it = carried().await;
        let sent: Vec<u8> = (0..3 * PIECE_BYTES)
            .map(|index| u8::try_from(index % 251).unwrap())
            .collect();
        let (mut from_machine, mut to_machine) = it.machine.into_split();
        let (mut input, output) = (it.input, it.output);
        let (up, down) = (sent.clone(), sent.clone());
        let writers = async {
            let sending = async {
                input.write_all(&up).await.unwrap();
                drop(input);
            };
            let answering = async {
                to_machine.write_all(&down).await.unwrap();
                to_machine.shutdown().await.unwrap();
            };
            tokio::join!(sending, answering);
        };
        let ((), at_machine, here) = tokio::join!(writers, all(&mut from_machine), all(output));
        assert!(at_machine == sent && here == sent);
        assert_eq!(it.outcome.await.unwrap(), Ok(()));
    }
}
