//! The little HTTP that Entra, ARM and the control service are made of: a request that was read
//! whole, a reply, and the loop that serves them over TLS.

use std::fmt;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderMap};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::encoding::percent_decode;

/// Bodies above this many bytes are refused.
const MAX_BODY_BYTES: usize = 4 * 1024 * 1024;

/// A client gets this long for its TLS handshake.
const TLS_HANDSHAKE_TIME: Duration = Duration::from_secs(10);

/// Name and value pairs in the order they came in: a query, or a form.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fields(Vec<(String, String)>);

impl Fields {
    /// Parses `application/x-www-form-urlencoded`.
    pub(crate) fn parse(encoded: &[u8]) -> Self {
        Self(form_urlencoded::parse(encoded).into_owned().collect())
    }

    /// Returns the first value of that name, if there is one that is not empty.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(key, value)| key.eq_ignore_ascii_case(name) && !value.is_empty())
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
    }
}

/// A request with its body.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: Method,
    /// The path as it was sent, still percent-encoded.
    pub(crate) path: String,
    /// The path's parts, decoded; empty ones are left out.
    pub(crate) segments: Vec<String>,
    pub(crate) query: Fields,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Request {
    async fn read(request: hyper::Request<Incoming>) -> Result<Self, Reply> {
        let (head, body) = request.into_parts();
        let body = Limited::new(body, MAX_BODY_BYTES)
            .collect()
            .await
            .map_err(|_| Reply::text(413, "the body is too long"))?
            .to_bytes();
        let path = head.uri.path().to_owned();
        Ok(Self {
            method: head.method,
            segments: path
                .split('/')
                .filter(|part| !part.is_empty())
                .map(percent_decode)
                .collect(),
            path,
            query: Fields::parse(head.uri.query().unwrap_or_default().as_bytes()),
            headers: head.headers,
            body,
        })
    }

    /// Returns a header as text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Returns the body as a form; what is not a form has no fields.
    pub(crate) fn form(&self) -> Fields {
        match self.header("content-type") {
            Some(kind) if kind.starts_with("application/x-www-form-urlencoded") => {
                Fields::parse(&self.body)
            }
            _ => Fields::default(),
        }
    }

    /// Returns the body as JSON; an empty one is an empty object.
    pub(crate) fn json(&self) -> Result<Value, serde_json::Error> {
        if self.body.is_empty() {
            return Ok(Value::Object(serde_json::Map::new()));
        }
        serde_json::from_slice(&self.body)
    }
}

/// What is sent back.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self::typed(status, "application/json; charset=utf-8", body.to_string())
    }

    pub(crate) fn html(status: u16, body: String) -> Self {
        Self::typed(status, "text/html; charset=utf-8", body)
    }

    pub(crate) fn text(status: u16, body: &str) -> Self {
        Self::typed(status, "text/plain; charset=utf-8", body.to_owned())
    }

    /// Returns a reply without a body.
    pub(crate) fn empty(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    fn typed(status: u16, kind: &str, body: String) -> Self {
        Self {
            status,
            headers: vec![(CONTENT_TYPE.to_string(), kind.to_owned())],
            body: body.into_bytes(),
        }
    }

    /// Adds a header.
    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    fn into_response(self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(Bytes::from(self.body)));
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        for (name, value) in self.headers {
            let name = hyper::header::HeaderName::try_from(name);
            let value = hyper::header::HeaderValue::try_from(value);
            if let (Ok(name), Ok(value)) = (name, value) {
                response.headers_mut().append(name, value);
            }
        }
        response
    }
}

/// The connection is to be closed without an answer.
#[derive(Debug)]
pub(crate) struct NoAnswer;

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("closed without an answer")
    }
}

impl std::error::Error for NoAnswer {}

/// Serves requests over TLS until the task is dropped.
pub(crate) async fn serve<H, F>(listener: TcpListener, tls: TlsAcceptor, handler: H)
where
    H: Fn(Request) -> F + Send + Sync + 'static,
    F: Future<Output = Result<Reply, NoAnswer>> + Send + 'static,
{
    let handler = Arc::new(handler);
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of file handles, most likely: others may close some in the meantime.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let tls = tls.clone();
        let handler = Arc::clone(&handler);
        tokio::spawn(async move {
            if let Ok(stream) = accept_tls(&tls, stream).await {
                serve_connection(stream, handler).await;
            }
        });
    }
}

/// Serves requests without TLS until the task is dropped.
pub(crate) async fn serve_plain<H, F>(listener: TcpListener, handler: H)
where
    H: Fn(Request) -> F + Send + Sync + 'static,
    F: Future<Output = Result<Reply, NoAnswer>> + Send + 'static,
{
    let handler = Arc::new(handler);
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve_connection(stream, Arc::clone(&handler)));
        } else {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Does the server's half of the TLS handshake, within its deadline.
pub(crate) async fn accept_tls(
    tls: &TlsAcceptor,
    stream: TcpStream,
) -> io::Result<tokio_rustls::server::TlsStream<TcpStream>> {
    stream.set_nodelay(true)?;
    tokio::time::timeout(TLS_HANDSHAKE_TIME, tls.accept(stream)).await?
}

async fn serve_connection<S, H, F>(stream: S, handler: Arc<H>)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    H: Fn(Request) -> F + Send + Sync + 'static,
    F: Future<Output = Result<Reply, NoAnswer>> + Send + 'static,
{
    let service = service_fn(move |request| {
        let handler = Arc::clone(&handler);
        async move {
            let reply = match Request::read(request).await {
                Ok(request) => handler(request).await?,
                Err(refusal) => refusal,
            };
            Ok::<_, NoAnswer>(reply.into_response())
        }
    });
    // An error here is the client's going away, or an outage that was asked for.
    let _: Result<(), _> = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}
