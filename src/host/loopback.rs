//! The loopback listener that a browser is redirected to (RFC 8252, section 7.3).

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::task::Poll;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::timeout;

use crate::line::Line;

/// The maximum size of a request head, in bytes. An authorization code takes one to two thousand.
const MAX_HEAD_BYTES: usize = 32 * 1024;
/// How long a browser may take to send its request, or to receive the response.
const REQUEST_LIMIT: Duration = Duration::from_secs(5);
/// The maximum number of open connections; one more closes the oldest. Browsers open a few in advance and leave them idle.
const MAX_CONNECTIONS: usize = 64;
/// How many ports to try until one is free on both addresses.
const MAX_PORTS: usize = 32;

/// A loopback listener on a free port, at `127.0.0.1` and, on the same port, at `[::1]`: a browser may resolve `localhost`
/// to either. Idle connections do not block others.
#[derive(Debug)]
pub(crate) struct Loopback {
    listeners: Vec<TcpListener>,
    port: u16,
    connections: JoinSet<Option<Visit>>,
    /// The open connections, oldest first.
    oldest: VecDeque<AbortHandle>,
    limit: Duration,
}

/// A request for the page that a browser was redirected to. It waits for its response.
#[derive(Debug)]
pub(crate) struct Visit {
    stream: TcpStream,
    query: String,
}

impl Loopback {
    /// Opens a listener.
    ///
    /// # Errors
    /// The system's error.
    pub(crate) async fn open() -> io::Result<Self> {
        Self::with_limit(REQUEST_LIMIT).await
    }

    async fn with_limit(limit: Duration) -> io::Result<Self> {
        let (listeners, port) = listen().await?;
        Ok(Self {
            listeners,
            port,
            connections: JoinSet::new(),
            oldest: VecDeque::new(),
            limit,
        })
    }

    /// Returns the redirect URI. For `http://localhost`, Entra accepts any port.
    #[must_use]
    pub(crate) fn redirect_uri(&self) -> String {
        format!("http://localhost:{}", self.port)
    }

    /// Waits for a request with a query. Turns other requests away, such as for an icon or from a port scan.
    ///
    /// # Errors
    /// The system's error.
    pub(crate) async fn visit(&mut self) -> io::Result<Visit> {
        loop {
            tokio::select! {
                accepted = accept(&self.listeners) => {
                    let visit = visit_of(accepted?, self.limit);
                    self.serve(visit);
                }
                Some(served) = self.connections.join_next() => {
                    if let Ok(Some(visit)) = served {
                        return Ok(visit);
                    }
                }
            }
        }
    }

    /// Shows a page in the background, while the listener waits for the next request.
    pub(crate) fn turn_away(
        &mut self,
        visit: Visit,
        status: &'static str,
        heading: &str,
        sentence: &str,
    ) {
        let page = page(heading, sentence);
        let Visit { mut stream, .. } = visit;
        self.serve(async move {
            respond(&mut stream, status, &page).await;
            None
        });
    }

    fn serve(&mut self, connection: impl Future<Output = Option<Visit>> + Send + 'static) {
        self.oldest.retain(|connection| !connection.is_finished());
        if self.oldest.len() >= MAX_CONNECTIONS
            && let Some(oldest) = self.oldest.pop_front()
        {
            oldest.abort();
        }
        self.oldest.push_back(self.connections.spawn(connection));
    }
}

/// Listens on the same port of both addresses, or of one if the system has no IPv6 (or no IPv4). Skips a port that another
/// program uses on either address: the browser might send the code there.
async fn listen() -> io::Result<(Vec<TcpListener>, u16)> {
    let (four, six) = (
        IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(Ipv6Addr::LOCALHOST),
    );
    let mut refusal = io::ErrorKind::AddrInUse.into();
    for _ in 0..MAX_PORTS {
        let first = match TcpListener::bind((four, 0)).await {
            Ok(listener) => listener,
            Err(error) => {
                let only = TcpListener::bind((six, 0)).await.map_err(|_| error)?;
                let port = only.local_addr()?.port();
                return Ok((vec![only], port));
            }
        };
        let port = first.local_addr()?.port();
        match TcpListener::bind((six, port)).await {
            Ok(second) => return Ok((vec![first, second], port)),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => refusal = error,
            Err(_) => return Ok((vec![first], port)),
        }
    }
    Err(refusal)
}

/// Accepts a connection from any of the listeners.
async fn accept(listeners: &[TcpListener]) -> io::Result<TcpStream> {
    poll_fn(|context| {
        for listener in listeners {
            if let Poll::Ready(accepted) = listener.poll_accept(context) {
                return Poll::Ready(accepted.map(|(stream, _)| stream));
            }
        }
        Poll::Pending
    })
    .await
}

/// Reads a request. Returns it if it has a query; otherwise sends the response itself.
async fn visit_of(mut stream: TcpStream, limit: Duration) -> Option<Visit> {
    let head = timeout(limit, read_head(&mut stream)).await;
    let head = head.ok().and_then(Result::ok);
    if let Some(query) = head.as_deref().and_then(query_of) {
        let query = query.to_owned();
        return Some(Visit { stream, query });
    }
    respond(&mut stream, "404 Not Found", "").await;
    None
}

impl Visit {
    /// Returns the query, still encoded.
    #[must_use]
    pub(crate) fn query(&self) -> &str {
        &self.query
    }

    /// Shows a page of one heading and one sentence.
    pub(crate) async fn show(mut self, status: &str, heading: &str, sentence: &str) {
        respond(&mut self.stream, status, &page(heading, sentence)).await;
    }
}

async fn read_head(stream: &mut TcpStream) -> io::Result<String> {
    let mut head = Vec::new();
    while !head.windows(4).any(|window| window == b"\r\n\r\n") {
        if head.len() > MAX_HEAD_BYTES {
            return Err(io::ErrorKind::InvalidData.into());
        }
        if stream.read_buf(&mut head).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    String::from_utf8(head).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// Returns the query of `GET /?query HTTP/1.1`.
fn query_of(head: &str) -> Option<&str> {
    let target = head.strip_prefix("GET /?")?;
    let (query, version) = target.lines().next()?.split_once(' ')?;
    version.starts_with("HTTP/1.").then_some(query)
}

/// Writes a response. A closed connection is not an error.
async fn respond(stream: &mut TcpStream, status: &str, body: &str) {
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\nCache-Control: no-store\r\n\
         Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'\r\nReferrer-Policy: no-referrer\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    );
    let _answered = timeout(REQUEST_LIMIT, async {
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await
    })
    .await;
}

fn page(heading: &str, sentence: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{heading} – entra-ssh</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><style>\
         :root{{color-scheme:light dark}}\
         body{{font:1.125rem/1.6 system-ui,sans-serif;max-width:36rem;margin:20vh auto 0;padding:0 1.5rem;\
         color:#1b1f24;background:#fff}}h1{{font-size:1.6rem;margin:0 0 .5rem}}\
         h1,p{{text-wrap:balance;overflow-wrap:anywhere}}\
         @media(prefers-color-scheme:dark){{body{{color:#e6e8eb;background:#16191d}}}}</style></head>\
         <body><h1>{heading}</h1><p>{sentence}</p></body></html>",
        heading = escaped(heading),
        sentence = escaped(sentence)
    )
}

fn escaped(text: &str) -> String {
    Line::from(text)
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Longer than any test runs, so that a wait for it never ends.
    const NEVER: Duration = Duration::from_secs(24 * 60 * 60);
    const REDIRECT: &str = "GET /?code=1&state=2 HTTP/1.1\r\nHost: localhost\r\n\r\n";

    async fn send(port: u16, request: &str) -> String {
        send_to("127.0.0.1", port, request).await
    }

    async fn send_to(address: &str, port: u16, request: &str) -> String {
        let mut stream = TcpStream::connect((address, port)).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn an_icon_is_turned_away_and_the_redirect_is_answered() {
        let mut loopback = Loopback::open().await.unwrap();
        let port = loopback.port;
        let browser = tokio::spawn(async move {
            let icon = send(port, "GET /favicon.ico HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
            let page = send(port, REDIRECT).await;
            (icon, page)
        });
        let visit = loopback.visit().await.unwrap();
        assert_eq!(visit.query(), "code=1&state=2");
        let sentence = "a <b> & \"c\"\n\u{202e}x";
        visit.show("200 OK", "Signed in", sentence).await;
        let (icon, page) = browser.await.unwrap();
        assert!(icon.starts_with("HTTP/1.1 404 "), "{icon}");
        assert!(
            page.contains("a &lt;b&gt; &amp; &quot;c&quot; \u{fffd}x<"),
            "{page}"
        );
    }

    #[tokio::test]
    async fn silent_connections_do_not_keep_the_redirect_waiting() {
        let mut loopback = Loopback::with_limit(NEVER).await.unwrap();
        let port = loopback.port;
        let mut silent = Vec::new();
        for _ in 0..MAX_CONNECTIONS - 1 {
            silent.push(TcpStream::connect(("127.0.0.1", port)).await.unwrap());
        }
        let browser = tokio::spawn(send(port, REDIRECT));
        let visit = loopback.visit().await.unwrap();
        visit.show("200 OK", "Signed in", "x").await;
        assert!(browser.await.unwrap().starts_with("HTTP/1.1 200 OK\r\n"));
    }

    #[tokio::test]
    async fn one_connection_too_many_closes_the_oldest() {
        let mut loopback = Loopback::with_limit(NEVER).await.unwrap();
        let port = loopback.port;
        let connect = async || TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let mut oldest = connect().await;
        let mut others = Vec::new();
        for _ in 0..MAX_CONNECTIONS {
            others.push(connect().await);
        }
        let waiting = tokio::spawn(async move { loopback.visit().await.unwrap() });
        let mut end = Vec::new();
        oldest.read_to_end(&mut end).await.unwrap();
        assert!(end.is_empty(), "{end:?}");
        let mut youngest = others.pop().unwrap();
        youngest.write_all(REDIRECT.as_bytes()).await.unwrap();
        assert_eq!(waiting.await.unwrap().query(), "code=1&state=2");
    }

    #[tokio::test]
    async fn a_foreign_visitor_is_turned_away_beside_the_wait() {
        let mut loopback = Loopback::with_limit(NEVER).await.unwrap();
        let port = loopback.port;
        let stranger = tokio::spawn(send(port, "GET /?code=x HTTP/1.1\r\n\r\n"));
        let forged = loopback.visit().await.unwrap();
        loopback.turn_away(forged, "400 Bad Request", "Not signed in", "x");
        let waiting = tokio::spawn(async move { loopback.visit().await.unwrap() });
        assert!(
            stranger
                .await
                .unwrap()
                .starts_with("HTTP/1.1 400 Bad Request\r\n")
        );
        let _browser = tokio::spawn(send(port, REDIRECT));
        assert_eq!(waiting.await.unwrap().query(), "code=1&state=2");
    }

    #[tokio::test]
    async fn both_addresses_of_localhost_lead_here() {
        if TcpListener::bind(("::1", 0)).await.is_err() {
            // This system does not support IPv6.
            return;
        }
        let mut loopback = Loopback::open().await.unwrap();
        for address in ["127.0.0.1", "::1"] {
            let browser = tokio::spawn(send_to(address, loopback.port, REDIRECT));
            let visit = loopback.visit().await.unwrap();
            visit.show("200 OK", "Signed in", address).await;
            assert!(browser.await.unwrap().contains(address));
        }
        let taken = TcpListener::bind(("::1", loopback.port)).await;
        assert_eq!(taken.unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }

    #[test]
    fn only_a_get_of_the_root_with_a_query_is_a_redirect() {
        assert_eq!(query_of("GET /?a=b HTTP/1.1\r\n\r\n"), Some("a=b"));
        for head in [
            "POST /?a=b HTTP/1.1",
            "GET / HTTP/1.1",
            "GET /x?a=b HTTP/1.1",
            "GET /?a=b",
        ] {
            assert_eq!(query_of(head), None, "{head}");
        }
    }
}
