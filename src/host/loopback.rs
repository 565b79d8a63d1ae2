//! A listener on this machine that a browser is sent back to (RFC 8252, section 7.3).

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::line::Line;

/// The longest request head that is read, in bytes. An authorization code is one to two thousand.
const MAX_HEAD_BYTES: usize = 32 * 1024;
/// How long a browser may take to send its request.
const REQUEST_LIMIT: Duration = Duration::from_secs(5);

/// A listener on a port of its own, for this machine alone.
#[derive(Debug)]
pub struct Loopback {
    listener: TcpListener,
    port: u16,
}

/// A request for the page that a browser was sent back to. It waits for its answer.
#[derive(Debug)]
pub struct Visit {
    stream: TcpStream,
    query: String,
}

impl Loopback {
    /// Opens a listener.
    ///
    /// # Errors
    /// What the system says.
    pub async fn open() -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        Ok(Self { listener, port })
    }

    /// Returns the address that a browser can be sent back to; of `http://localhost` Entra takes any port.
    #[must_use]
    pub fn redirect_uri(&self) -> String {
        format!("http://localhost:{}", self.port)
    }

    /// Waits for a request with a query. Whatever else comes (an icon is asked for, a port is scanned) is turned away.
    ///
    /// # Errors
    /// What the system says.
    pub async fn visit(&self) -> io::Result<Visit> {
        loop {
            let (mut stream, _) = self.listener.accept().await?;
            let head = timeout(REQUEST_LIMIT, read_head(&mut stream)).await;
            match head.ok().and_then(Result::ok).as_deref().and_then(query_of) {
                Some(query) => {
                    return Ok(Visit {
                        query: query.to_owned(),
                        stream,
                    });
                }
                None => respond(&mut stream, "404 Not Found", "").await,
            }
        }
    }
}

impl Visit {
    /// Returns the query, still encoded.
    #[must_use]
    pub fn query(&self) -> &str {
        &self.query
    }

    /// Shows a page of one heading and one sentence.
    pub async fn show(mut self, status: &str, heading: &str, sentence: &str) {
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

/// Writes an answer; a browser that has gone needs none.
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

    async fn send(port: u16, request: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn an_icon_is_turned_away_and_the_redirect_is_answered() {
        let loopback = Loopback::open().await.unwrap();
        let port = loopback.port;
        let browser = tokio::spawn(async move {
            let icon = send(port, "GET /favicon.ico HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
            let page = send(
                port,
                "GET /?code=1&state=2 HTTP/1.1\r\nHost: localhost\r\n\r\n",
            )
            .await;
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
