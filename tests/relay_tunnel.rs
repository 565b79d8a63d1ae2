//! The relay client against a far end that follows a script, byte for byte, over real TLS.

#![expect(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "tests"
)]

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::pin::Pin;
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use entra_ssh::internal::host::env::Env;
use entra_ssh::internal::host::{standard_streams, tls};
use entra_ssh::internal::relay::{self, Capacity, Ending, Endpoint, Output, RelayError};
use entra_ssh::internal::secret::Secret;
use rcgen::{CertificateParams, KeyPair};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::unix::pipe;
use tokio::time::timeout;

/// How long a test may take.
const LIMIT: Duration = Duration::from_secs(120);

/// The far end's side of a connection, once it is open.
type Far = StreamOwned<ServerConnection, TcpStream>;

/// A relay that does what it is told with its first connection.
struct Relay<T> {
    endpoint: Endpoint,
    tls: Arc<rustls::ClientConfig>,
    script: JoinHandle<T>,
}

impl<T: Send + 'static> Relay<T> {
    fn open(script: impl FnOnce(&mut Far) -> T + Send + 'static) -> Self {
        let key = KeyPair::generate().unwrap();
        let names = ["127.0.0.1".to_owned()];
        let certificate = CertificateParams::new(names).unwrap();
        let certificate = certificate.self_signed(&key).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let ca_file = folder.path().join("ca.pem");
        std::fs::write(&ca_file, certificate.pem()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let authority = listener.local_addr().unwrap().to_string();
        let script = thread::spawn(move || {
            let (tcp, _) = listener.accept().unwrap();
            tcp.set_nodelay(true).unwrap();
            tcp.set_read_timeout(Some(LIMIT)).unwrap();
            let connection = ServerConnection::new(Arc::new(config)).unwrap();
            let mut far = StreamOwned::new(connection, tcp);
            upgrade(&mut far);
            script(&mut far)
        });
        let token = Secret::new("SharedAccessSignature sr=x".to_owned());
        Self {
            endpoint: Endpoint::new(&authority, "hc/v2", token, None, 22).unwrap(),
            tls: tls::client_config(Some(&ca_file), &Env::default()).unwrap(),
            script,
        }
    }

    /// Connects and carries to the end; returns it, and what the script returned.
    async fn carry(
        self,
        input: impl AsyncRead + Unpin,
        output: impl Output,
    ) -> (Result<Ending, RelayError>, T) {
        self.carry_with(Capacity::ALONE, input, output).await
    }

    async fn carry_with(
        self,
        capacity: Capacity,
        input: impl AsyncRead + Unpin,
        output: impl Output,
    ) -> (Result<Ending, RelayError>, T) {
        let carried = async {
            let connection = relay::dial(&self.endpoint, &self.tls, None, capacity).await?;
            relay::carry(connection, input, output).await
        };
        let ending = timeout(LIMIT, carried).await.unwrap();
        (ending, self.script.join().unwrap())
    }

    /// Does the same between two pipes, as under ssh: on a thread of its own, which no limit of a runtime's would reach.
    fn carry_pipes(self, pipes: Pipes) -> (Result<Ending, RelayError>, T) {
        let Self {
            endpoint,
            tls,
            script,
        } = self;
        let (ended, ending) = mpsc::channel();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            let outcome = runtime.block_on(async {
                let connection = relay::dial(&endpoint, &tls, None, Capacity::ALONE).await?;
                let input = pipe::Receiver::from_owned_fd(pipes.input.into()).unwrap();
                let output = pipe::Sender::from_owned_fd(pipes.output.into()).unwrap();
                relay::carry_standard_streams(
                    connection,
                    standard_streams::Input::Pipe(input),
                    standard_streams::Output::Pipe(output),
                )
                .await
            });
            ended.send(outcome).unwrap();
        });
        let ending = ending.recv_timeout(LIMIT).unwrap();
        (ending, script.join().unwrap())
    }
}

/// Our ends of two pipes.
struct Pipes {
    input: io::PipeReader,
    output: io::PipeWriter,
}

/// Opens two pipes: our ends, and those of whoever writes to our input and reads our output.
fn pipes() -> (Pipes, io::PipeWriter, io::PipeReader) {
    let (input, writer) = io::pipe().unwrap();
    let (reader, output) = io::pipe().unwrap();
    (Pipes { input, output }, writer, reader)
}

/// Answers the handshake (RFC 6455, section 4.2.2).
fn upgrade(far: &mut Far) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        far.read_exact(&mut byte).unwrap();
        head.extend(byte);
    }
    let head = String::from_utf8(head).unwrap();
    let key = head
        .lines()
        .filter_map(|line| line.split_once(": "))
        .find(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-key"))
        .unwrap()
        .1;
    let text = format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    let accept = STANDARD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes()));
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    far.write_all(answer.as_bytes()).unwrap();
}

/// Reads a frame of the client's: its first byte and its payload, unmasked. `None` if there is none any more.
fn client_frame(far: &mut Far) -> Option<(u8, Vec<u8>)> {
    let mut start = [0; 2];
    far.read_exact(&mut start).ok()?;
    assert_eq!(start[1] & 0x80, 0x80, "a client masks");
    let length = match start[1] & 0x7f {
        126 => {
            let mut bytes = [0; 2];
            far.read_exact(&mut bytes).ok()?;
            u64::from(u16::from_be_bytes(bytes))
        }
        127 => {
            let mut bytes = [0; 8];
            far.read_exact(&mut bytes).ok()?;
            u64::from_be_bytes(bytes)
        }
        short => u64::from(short),
    };
    let mut mask = [0; 4];
    far.read_exact(&mut mask).ok()?;
    let mut payload = vec![0; usize::try_from(length).unwrap()];
    far.read_exact(&mut payload).ok()?;
    for (byte, mask) in payload.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
    Some((start[0], payload))
}

/// Reads the client's close frame, behind whatever comes before it.
fn client_close(far: &mut Far) -> Option<Vec<u8>> {
    while let Some((first, payload)) = client_frame(far) {
        if first == 0x88 {
            return Some(payload);
        }
    }
    None
}

/// A server's frame of less than 126 bytes.
fn short(first: u8, payload: &[u8]) -> Vec<u8> {
    [&[first, u8::try_from(payload.len()).unwrap()], payload].concat()
}

fn close(code: u16) -> Vec<u8> {
    short(0x88, &code.to_be_bytes())
}

/// What was put out, or what it takes.
#[derive(Clone, Debug)]
struct Taken {
    bytes: Arc<Mutex<Vec<u8>>>,
    /// How much it takes at once; nothing at all if it is 0.
    at_once: usize,
}

impl Taken {
    fn new(at_once: usize) -> Self {
        Self {
            bytes: Arc::default(),
            at_once,
        }
    }

    fn bytes(&self) -> Vec<u8> {
        self.bytes.lock().unwrap().clone()
    }
}

impl Output for Taken {}

impl AsyncWrite for Taken {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let length = bytes.len().min(self.at_once);
        if length == 0 {
            return Poll::Pending;
        }
        let mut taken = self.bytes.lock().unwrap();
        taken.extend_from_slice(&bytes[..length]);
        // Every other time it wants to be asked once more.
        if self.at_once < 4096 && taken.len() % (2 * self.at_once) < self.at_once {
            context.waker().wake_by_ref();
        }
        Poll::Ready(Ok(length))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// An input that says nothing and does not end.
struct Open;

impl AsyncRead for Open {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut tokio::io::ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

#[tokio::test]
async fn fragments_and_text_come_through_and_pings_between_them_are_answered() {
    let relay = Relay::open(|far| {
        let sent = [
            short(0x02, b"one "),
            short(0x89, b"are you there?"),
            short(0x00, b""),
            short(0x80, b"message, "),
            short(0x8a, b"nobody asked"),
            short(0x81, b"text, "),
            short(0x82, b"bytes"),
        ]
        .concat();
        // Byte by byte, each in a record of its own.
        for byte in sent {
            far.write_all(&[byte]).unwrap();
        }
        let answer = client_frame(far).unwrap();
        far.write_all(&close(1000)).unwrap();
        (answer, client_close(far))
    });
    let output = Taken::new(usize::MAX);
    let (ending, (answer, closed)) = relay.carry(Open, output.clone()).await;
    assert_eq!(ending.unwrap(), Ending::Far);
    assert_eq!(output.bytes(), b"one message, text, bytes");
    assert_eq!(answer, (0x8a, b"are you there?".to_vec()));
    assert_eq!(closed, Some(1000_u16.to_be_bytes().to_vec()));
}

#[tokio::test]
async fn all_that_came_before_the_end_is_delivered_to_a_slow_reader() {
    const BYTES: usize = 3 * 1024 * 1024;
    for is_closed in [true, false] {
        let relay = Relay::open(move |far| {
            let length = u64::try_from(BYTES).unwrap().to_be_bytes();
            far.write_all(&[&[0x82, 127][..], &length].concat())
                .unwrap();
            far.write_all(&vec![7; BYTES]).unwrap();
            if is_closed {
                far.write_all(&close(1000)).unwrap();
            }
        });
        let output = Taken::new(1000);
        let (ending, ()) = relay.carry(Open, output.clone()).await;
        match ending {
            Ok(Ending::Far) => assert!(is_closed),
            // Without a close frame, nobody can tell whether it was all.
            Err(RelayError::Dropped { .. }) => assert!(!is_closed),
            other => panic!("{other:?}"),
        }
        assert_eq!(output.bytes().len(), BYTES, "{is_closed}");
    }
}

#[tokio::test]
async fn what_still_comes_after_our_input_has_ended_is_passed_on() {
    let relay = Relay::open(|far| {
        let said = client_frame(far).unwrap();
        thread::sleep(Duration::from_millis(300));
        far.write_all(&short(0x82, b"late")).unwrap();
        far.write_all(&close(1000)).unwrap();
        said
    });
    let output = Taken::new(usize::MAX);
    let (ending, said) = relay.carry(&b"exit"[..], output.clone()).await;
    assert_eq!(ending.unwrap(), Ending::Far);
    assert_eq!(said, (0x82, b"exit".to_vec()));
    assert_eq!(output.bytes(), b"late");
}

#[tokio::test]
async fn what_breaks_the_protocol_ends_the_connection_with_a_reason() {
    for (bytes, expected) in [
        (short(0xc2, b"x"), "a reserved bit is set"),
        (
            short(0x80, b"x"),
            "a message is continued that was not begun",
        ),
        (short(0x09, b"x"), "a control frame is fragmented"),
        (
            vec![0x82, 0x81, 0, 0, 0, 0, 1],
            "a server's frame is masked",
        ),
        (vec![0x89, 126, 0, 126], "a control frame is too long"),
        (close(1006), "a close code is used that must not be sent"),
    ] {
        let relay = Relay::open(move |far| {
            far.write_all(&[short(0x82, b"before"), bytes].concat())
                .unwrap();
            client_close(far)
        });
        let output = Taken::new(usize::MAX);
        let (ending, closed) = relay.carry(Open, output.clone()).await;
        // Section 7.4.1: a protocol error.
        assert_eq!(closed, Some(1002_u16.to_be_bytes().to_vec()), "{expected}");
        match ending.unwrap_err() {
            RelayError::NotARelay { reason, .. } => assert_eq!(reason, expected),
            other => panic!("{expected}: {other:?}"),
        }
        assert_eq!(output.bytes(), b"before");
    }
}

#[tokio::test]
async fn close_codes_and_reasons_are_told() {
    for (frame, expected) in [
        (
            close(1001),
            "the relay closed the connection: the machine's listener has gone (close code 1001)",
        ),
        (
            close(1009),
            "the relay closed the connection: a message was longer than the machine's listener accepts (close code 1009)",
        ),
        (
            short(0x88, b"\x03\xf3disk full\n"),
            "the relay closed the connection: disk full (close code 1011)",
        ),
    ] {
        let relay = Relay::open(move |far| far.write_all(&frame).unwrap());
        let (ending, ()) = relay.carry(Open, Taken::new(usize::MAX)).await;
        assert_eq!(ending.unwrap_err().to_string(), expected);
    }
    // No code at all is a normal end (RFC 6455, section 7.1.5).
    let relay = Relay::open(|far| far.write_all(&short(0x88, b"")).unwrap());
    let (ending, ()) = relay.carry(Open, Taken::new(usize::MAX)).await;
    assert_eq!(ending.unwrap(), Ending::Far);
}

#[tokio::test]
async fn an_end_of_tls_or_tcp_without_a_close_frame_is_a_drop() {
    for says_goodbye in [true, false] {
        let relay = Relay::open(move |far| {
            far.write_all(&short(0x82, b"some")).unwrap();
            if says_goodbye {
                far.conn.send_close_notify();
                far.flush().unwrap();
            }
        });
        let output = Taken::new(usize::MAX);
        let begun = Instant::now();
        let (ending, ()) = relay.carry(Open, output.clone()).await;
        let Err(RelayError::Dropped { source, .. }) = ending else {
            panic!("{ending:?}");
        };
        assert_eq!(source.kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(output.bytes(), b"some");
        assert!(begun.elapsed() < LIMIT / 2);
    }
}

#[tokio::test]
async fn nothing_is_read_while_the_output_takes_nothing() {
    const BLOCK_BYTES: usize = 64 * 1024;
    // What the sockets of both sides may hold is the system's affair; what is more must wait.
    const MAX_BYTES: usize = 32 * 1024 * 1024;
    let relay = Relay::open(|far| {
        far.sock
            .set_write_timeout(Some(Duration::from_secs(2)))
            .unwrap();
        let length = u64::try_from(BLOCK_BYTES).unwrap().to_be_bytes();
        let frame = [&[0x82, 127][..], &length, &vec![7; BLOCK_BYTES]].concat();
        let mut sent = 0;
        while sent < 2 * MAX_BYTES && far.write_all(&frame).is_ok() {
            sent += BLOCK_BYTES;
        }
        sent
    });
    let Relay { endpoint, tls, .. } = &relay;
    let connection = relay::dial(endpoint, tls, None, Capacity::ALONE)
        .await
        .unwrap();
    let carrying = relay::carry(connection, Open, Taken::new(0));
    let waited = timeout(Duration::from_secs(4), carrying).await;
    assert!(waited.is_err(), "{waited:?}");
    let sent = relay.script.join().unwrap();
    assert!((1..MAX_BYTES).contains(&sent), "{sent}");
}

#[test]
fn pipes_carry_all_of_it_both_ways_at_once() {
    const BYTES: usize = 3 * 1024 * 1024;
    let relay = Relay::open(|far| {
        far.write_all(&short(0x89, b"there?")).unwrap();
        let mut echoed = 0;
        let mut pong = None;
        while echoed < BYTES {
            let (first, payload) = client_frame(far).unwrap();
            if first == 0x8a {
                pong = Some(payload);
                continue;
            }
            echoed += payload.len();
            // In pieces, so that each has the shortest form of a length.
            for piece in payload.chunks(125) {
                far.write_all(&short(0x82, piece)).unwrap();
            }
        }
        far.write_all(&close(1000)).unwrap();
        (pong, client_close(far))
    });
    let (pipes, mut writer, mut reader) = pipes();
    let sent: Vec<u8> = (0..BYTES)
        .map(|index| u8::try_from(index % 251).unwrap())
        .collect();
    let expected = sent.clone();
    let writing = thread::spawn(move || {
        writer.write_all(&sent).unwrap();
        writer
    });
    let reading = thread::spawn(move || {
        let mut taken = Vec::new();
        reader.read_to_end(&mut taken).unwrap();
        taken
    });
    let (ending, (pong, closed)) = relay.carry_pipes(pipes);
    assert_eq!(ending.unwrap(), Ending::Far);
    assert_eq!(pong, Some(b"there?".to_vec()));
    assert_eq!(closed, Some(1000_u16.to_be_bytes().to_vec()));
    assert!(reading.join().unwrap() == expected);
    // The input was open to the end.
    drop(writing.join().unwrap());
}

/// Reads messages until it has so many bytes, and returns their lengths.
fn lengths(far: &mut Far, bytes: usize) -> Vec<usize> {
    let mut lengths = Vec::new();
    while lengths.iter().sum::<usize>() < bytes {
        let (first, payload) = client_frame(far).unwrap();
        assert_eq!(first, 0x82, "each message is one frame");
        lengths.push(payload.len());
    }
    far.write_all(&close(1000)).unwrap();
    lengths
}

/// What Go's WebSocket library reads of a message, unless it is told otherwise.
const GO_READ_LIMIT: usize = 32_768;

#[tokio::test]
async fn no_message_is_longer_than_go_reads_and_bulk_fills_them() {
    const BYTES: usize = 3_000_000;
    for capacity in [Capacity::ALONE, Capacity::AMONG_MANY] {
        let relay = Relay::open(|far| lengths(far, BYTES));
        let input = vec![7; BYTES];
        let (ending, lengths) = relay
            .carry_with(capacity, &input[..], Taken::new(usize::MAX))
            .await;
        assert_eq!(ending.unwrap(), Ending::Far);
        assert_eq!(lengths.iter().sum::<usize>(), BYTES);
        assert!(lengths.iter().all(|length| *length <= GO_READ_LIMIT));
        let full = lengths.iter().max().unwrap();
        assert!(lengths.len() <= BYTES / full + 1, "{lengths:?}");
    }
}

#[test]
fn no_message_from_a_pipe_is_longer_than_go_reads() {
    const BYTES: usize = 3_000_000;
    let relay = Relay::open(|far| lengths(far, BYTES));
    let (pipes, mut writer, _reader) = pipes();
    let writing = thread::spawn(move || {
        writer.write_all(&vec![7; BYTES]).unwrap();
        writer
    });
    let (ending, lengths) = relay.carry_pipes(pipes);
    assert_eq!(ending.unwrap(), Ending::Far);
    assert_eq!(lengths.iter().sum::<usize>(), BYTES);
    assert!(lengths.iter().all(|length| *length <= GO_READ_LIMIT));
    drop(writing.join().unwrap());
}

#[test]
fn pipes_that_ssh_has_left_end_it_soon_though_the_far_end_stays() {
    let relay = Relay::open(|far| {
        let said = client_frame(far).unwrap();
        (said, client_close(far))
    });
    let (pipes, mut writer, reader) = pipes();
    let leaving = thread::spawn(move || {
        writer.write_all(b"exit").unwrap();
        thread::sleep(Duration::from_millis(300));
        drop((writer, reader));
    });
    let begun = Instant::now();
    let (ending, (said, closed)) = relay.carry_pipes(pipes);
    assert_eq!(ending.unwrap(), Ending::Near);
    assert!(begun.elapsed() < Duration::from_secs(9));
    assert_eq!(said, (0x82, b"exit".to_vec()));
    assert_eq!(closed, Some(1000_u16.to_be_bytes().to_vec()));
    leaving.join().unwrap();
}
