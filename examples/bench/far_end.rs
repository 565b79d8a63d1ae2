//! The other end: it takes in, gives out or echoes bytes as fast as it can, over plain TCP, TLS, and WebSocket on TLS.
//!
//! ```text
//! command     one byte, b'u', b'd', b'n' or b'e'; eight bytes, how many bytes follow (big endian)
//! b'u'        takes the bytes in, then answers with one byte
//! b'd'        gives the bytes out
//! b'n'        takes nothing more in, for a minute
//! b'e'        gives back whatever comes
//! ```

use std::error::Error;
use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// How long a command is, in bytes.
pub(crate) const COMMAND_BYTES: usize = 9;
/// How much is read or written at once, and how much a frame carries.
const BLOCK_BYTES: usize = 64 * 1024;
/// How long nothing is taken in where that is asked for.
const STUCK: Duration = Duration::from_secs(60);

/// The listeners, each served for as long as the process runs.
pub(crate) struct FarEnd {
    pub(crate) ca_pem: String,
    pub(crate) plain: SocketAddr,
    pub(crate) tls: SocketAddr,
    pub(crate) web_socket: SocketAddr,
}

impl FarEnd {
    pub(crate) fn open() -> Result<Self, Box<dyn Error>> {
        let (ca_pem, config) = certificates()?;
        let accept = move |stream: TcpStream| -> io::Result<_> {
            let connection =
                ServerConnection::new(Arc::clone(&config)).map_err(io::Error::other)?;
            Ok(StreamOwned::new(connection, Buffered::new(stream)?))
        };
        let accept_web_socket = accept.clone();
        Ok(Self {
            ca_pem,
            plain: serve(|stream| obey(Buffered::new(stream)?))?,
            tls: serve(move |stream| obey(accept(stream)?))?,
            web_socket: serve(move |stream| obey(WebSocket::accept(accept_web_socket(stream)?)?))?,
        })
    }
}

/// Makes an authority and a certificate for loopback; returns the authority and the settings of the server.
fn certificates() -> Result<(String, Arc<ServerConfig>), Box<dyn Error>> {
    let mut authority = CertificateParams::new(Vec::new())?;
    authority
        .distinguished_name
        .push(DnType::CommonName, "bench CA");
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let authority_key = KeyPair::generate()?;
    let ca_pem = authority.self_signed(&authority_key)?.pem();
    let issuer = Issuer::new(authority, authority_key);
    let mut server = CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned()])?;
    server
        .distinguished_name
        .push(DnType::CommonName, "127.0.0.1");
    let key = KeyPair::generate()?;
    let certificate = server.signed_by(&key, &issuer)?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config =
        ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)?;
    Ok((ca_pem, Arc::new(config)))
}

/// Serves each connection on a thread of its own; a connection that breaks is its client's to notice.
fn serve(
    answer: impl Fn(TcpStream) -> io::Result<()> + Clone + Send + 'static,
) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = answer.clone();
            thread::spawn(move || answer(stream));
        }
    });
    Ok(address)
}

/// What carries bytes.
trait Carrier: Read + Write {
    /// Takes bytes in without a look at them, and returns how many.
    fn pass_over(&mut self) -> io::Result<usize>;
}

impl Carrier for Buffered {
    fn pass_over(&mut self) -> io::Result<usize> {
        let length = self.reader.fill_buf()?.len();
        self.reader.consume(length);
        Ok(length)
    }
}

impl Carrier for Tls {
    fn pass_over(&mut self) -> io::Result<usize> {
        let length = self.fill_buf()?.len();
        self.consume(length);
        Ok(length)
    }
}

/// Does what the command says, over whatever carries the bytes.
fn obey(mut stream: impl Carrier) -> io::Result<()> {
    let mut command = [0; COMMAND_BYTES];
    stream.read_exact(&mut command)?;
    let [verb, length @ ..] = command;
    let mut left = u64::from_be_bytes(length);
    let mut block = vec![0x5a; BLOCK_BYTES];
    match verb {
        b'u' => {
            while left > 0 {
                let length = stream.pass_over()?;
                if length == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                left = left.saturating_sub(u64::try_from(length).unwrap_or(u64::MAX));
            }
            stream.write_all(b"!")?;
            stream.flush()?;
        }
        b'd' => {
            while left > 0 {
                let length = usize::try_from(left).unwrap_or(usize::MAX).min(block.len());
                stream.write_all(block.get(..length).unwrap_or_default())?;
                left -= u64::try_from(length).unwrap_or(u64::MAX);
            }
            stream.flush()?;
        }
        b'n' => {
            thread::sleep(STUCK);
            return Ok(());
        }
        _ => {}
    }
    loop {
        let length = stream.read(&mut block)?;
        if length == 0 {
            return Ok(());
        }
        stream.write_all(block.get(..length).unwrap_or_default())?;
        stream.flush()?;
    }
}

/// A connection over TLS.
type Tls = StreamOwned<ServerConnection, Buffered>;

/// A socket that is read in large pieces.
struct Buffered {
    reader: BufReader<TcpStream>,
    writer: TcpStream,
}

impl Buffered {
    fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self {
            reader: BufReader::with_capacity(2 * BLOCK_BYTES, stream.try_clone()?),
            writer: stream,
        })
    }
}

impl Read for Buffered {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reader.read(buffer)
    }
}

impl Write for Buffered {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.write(bytes)
    }

    fn write_vectored(&mut self, slices: &[io::IoSlice<'_>]) -> io::Result<usize> {
        self.writer.write_vectored(slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The server's side of RFC 6455, as far as a well-behaved client needs it.
struct WebSocket {
    stream: Tls,
    /// How much of the frame is still to come, and its mask, turned to where it goes on.
    left: u64,
    mask: [u8; 4],
}

impl WebSocket {
    fn accept(mut stream: Tls) -> io::Result<Self> {
        let mut key = String::new();
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            match line.split_once(':') {
                Some((name, value)) if name.eq_ignore_ascii_case("sec-websocket-key") => {
                    value.trim().clone_into(&mut key);
                }
                None if line == "\r\n" => break,
                _ => {}
            }
        }
        let text = format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
        let accept = STANDARD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes()));
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\n\r\n"
        );
        stream.write_all(answer.as_bytes())?;
        Ok(Self {
            stream,
            left: 0,
            mask: [0; 4],
        })
    }

    /// Reads the next header; control frames but a close are passed over.
    fn next_frame(&mut self) -> io::Result<bool> {
        let mut header = [0; 2];
        self.stream.read_exact(&mut header)?;
        let [first, second] = header;
        let mut bytes = [0; 8];
        let length = match second & 0x7f {
            126 => {
                let [.., high, low] = &mut bytes;
                let mut two = [0; 2];
                self.stream.read_exact(&mut two)?;
                [*high, *low] = two;
                u64::from_be_bytes(bytes)
            }
            127 => {
                self.stream.read_exact(&mut bytes)?;
                u64::from_be_bytes(bytes)
            }
            short => u64::from(short),
        };
        self.stream.read_exact(&mut self.mask)?;
        match first & 0x0f {
            8 => return Ok(false),
            9 | 10 => {
                io::copy(&mut (&mut self.stream).take(length), &mut io::sink())?;
            }
            _ => self.left = length,
        }
        Ok(true)
    }
}

impl Read for WebSocket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.left == 0 {
            if !self.next_frame()? {
                return Ok(0);
            }
        }
        let wanted = usize::try_from(self.left)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        let length = self
            .stream
            .read(buffer.get_mut(..wanted).unwrap_or_default())?;
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left -= u64::try_from(length).unwrap_or(u64::MAX);
        for (byte, mask) in buffer.iter_mut().take(length).zip(self.mask.iter().cycle()) {
            *byte ^= mask;
        }
        self.mask.rotate_left(length % 4);
        Ok(length)
    }
}

impl Carrier for WebSocket {
    fn pass_over(&mut self) -> io::Result<usize> {
        while self.left == 0 {
            if !self.next_frame()? {
                return Ok(0);
            }
        }
        let available = self.stream.fill_buf()?.len();
        let wanted = usize::try_from(self.left).unwrap_or(usize::MAX);
        let length = available.min(wanted);
        self.stream.consume(length);
        self.left -= u64::try_from(length).unwrap_or(u64::MAX);
        self.mask.rotate_left(length % 4);
        Ok(length)
    }
}

impl Write for WebSocket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut header = vec![0x82];
        match (bytes.len(), u16::try_from(bytes.len())) {
            (0..126, _) => header.push(u8::try_from(bytes.len()).unwrap_or_default()),
            (_, Ok(length)) => {
                header.push(126);
                header.extend(length.to_be_bytes());
            }
            (length, _) => {
                header.push(127);
                header.extend(u64::try_from(length).unwrap_or(u64::MAX).to_be_bytes());
            }
        }
        header.extend_from_slice(bytes);
        self.stream.write_all(&header)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}
