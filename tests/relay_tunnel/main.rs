//! The relay client against a far end that follows a script, byte for byte, over real TLS.

#![expect(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "tests"
)]

mod frames;
mod messages;

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::pin::Pin;
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use entra_ssh::internal::host::env::Env;
use entra_ssh::internal::host::output::Output;
use entra_ssh::internal::host::{standard_streams, tls};
use entra_ssh::internal::relay::{self, Capacity, Ending, Endpoint, RelayError};
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
