//! Small clients that trust the sandbox's authority: https, wss, and the way to a token.

mod tokens;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use sandbox::{Options, Sandbox};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::client::client_with_config;
use tokio_tungstenite::tungstenite::handshake::HandshakeError;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, WebSocket};

pub(crate) use self::tokens::{arm_token, certificate, explained, jwk, refresh_token, sign_in};

pub(crate) const AZURE_CLI: &str = "04b07795-8ddb-461a-bbee-02f9e1bf7b46";
pub(crate) const SSH_SCOPE: &str = "ce6ff14a-7fdc-4685-bbe0-f6afdfcfa8e0/.default";
pub(crate) const ARM_SCOPE: &str = "https://management.core.windows.net//.default";
pub(crate) const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// What the Relay carries in one message, too.
const MAX_MESSAGE_BYTES: usize = 64 * 1024 * 1024;

pub(crate) type Tls = StreamOwned<ClientConnection, TcpStream>;
pub(crate) type Socket = WebSocket<Tls>;

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }
}

pub(crate) fn start() -> Sandbox {
    Sandbox::start(Options::default()).unwrap()
}

/// The authority that clients trust; it outlives the borrow of a sandbox.
#[derive(Clone)]
pub(crate) struct Trust(Arc<ClientConfig>);

impl Trust {
    pub(crate) fn of(sandbox: &Sandbox) -> Self {
        let mut roots = RootCertStore::empty();
        let ca = CertificateDer::from_pem_slice(sandbox.ca_pem().as_bytes()).unwrap();
        roots.add(ca).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self(Arc::new(config))
    }

    /// Opens TLS to an address like `https://localhost:8443/…`.
    fn open(&self, address: &str) -> Tls {
        let authority = address.split('/').nth(2).unwrap();
        let host = authority.split(':').next().unwrap().to_owned();
        let name = ServerName::try_from(host).unwrap();
        let tls = ClientConnection::new(Arc::clone(&self.0), name).unwrap();
        let stream = TcpStream::connect(authority).unwrap();
        let limit = Some(Duration::from_secs(120));
        stream.set_read_timeout(limit).unwrap();
        StreamOwned::new(tls, stream)
    }

    /// Opens a WebSocket, or returns the status and text of the refusal.
    pub(crate) fn websocket(
        &self,
        url: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Socket, (u16, String)> {
        let mut request = url.into_client_request().unwrap();
        for (name, value) in headers {
            let value = HeaderValue::from_str(value).unwrap();
            request.headers_mut().insert(*name, value);
        }
        let config = WebSocketConfig::default()
            .max_message_size(Some(MAX_MESSAGE_BYTES))
            .max_frame_size(Some(MAX_MESSAGE_BYTES));
        match client_with_config(request, self.open(url), Some(config)) {
            Ok((socket, _)) => Ok(socket),
            Err(HandshakeError::Failure(tungstenite::Error::Http(response))) => {
                let body = response.body().clone().unwrap_or_default();
                let text = String::from_utf8_lossy(&body).into_owned();
                Err((response.status().as_u16(), text))
            }
            Err(error) => Err((0, error.to_string())),
        }
    }
}

/// Sends one request and reads the answer to its end.
pub(crate) fn send(
    sandbox: &Sandbox,
    method: &str,
    url: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Result<Answer, std::io::Error> {
    exchange(Trust::of(sandbox).open(url), method, url, headers, body)
}

/// Sends one request to an address without TLS, and reads the answer to its end.
pub(crate) fn send_plain(method: &str, url: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let stream = TcpStream::connect(url.split('/').nth(2).unwrap()).unwrap();
    exchange(stream, method, url, headers, body).unwrap()
}

fn exchange(
    mut stream: impl Read + Write,
    method: &str,
    url: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Result<Answer, std::io::Error> {
    let path = url.splitn(4, '/').nth(3).unwrap_or_default();
    let mut request = format!(
        "{method} /{path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        request.extend([name, ": ", value, "\r\n"]);
    }
    request += "\r\n";
    request += body;
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        // A peer may leave out TLS's own goodbye.
        Err(error) if answer.is_empty() => return Err(error),
        _ => {}
    }
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .ok_or(std::io::ErrorKind::UnexpectedEof)?;
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Ok(Answer {
        status,
        head: head.to_owned(),
        body: body.to_owned(),
    })
}

pub(crate) fn post_form(sandbox: &Sandbox, path: &str, fields: &[(&str, &str)]) -> Answer {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(fields);
    send(
        sandbox,
        "POST",
        &format!("{}{path}", sandbox.authority()),
        &[("Content-Type", "application/x-www-form-urlencoded")],
        &form.finish(),
    )
    .unwrap()
}

/// Asks ARM with a token.
pub(crate) fn arm(
    sandbox: &Sandbox,
    token: &str,
    method: &str,
    path: &str,
    body: &Value,
) -> Answer {
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    let authorization = format!("Bearer {token}");
    send(
        sandbox,
        method,
        &format!("{}{path}", sandbox.authority()),
        &[
            ("Authorization", &authorization),
            ("Content-Type", "application/json"),
        ],
        &body,
    )
    .unwrap()
}

/// Relay credentials of a machine, as ARM gives them.
pub(crate) fn credentials(sandbox: &Sandbox, token: &str, resource_id: &str) -> Value {
    let path = format!(
        "{resource_id}/providers/Microsoft.HybridConnectivity/endpoints/default/listCredentials\
         ?expiresin=600&api-version=2023-03-15"
    );
    let answer = arm(
        sandbox,
        token,
        "POST",
        &path,
        &json!({"serviceName": "SSH"}),
    );
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["relay"].clone()
}

/// Opens a WebSocket, or returns the status and text of the refusal.
pub(crate) fn websocket(
    sandbox: &Sandbox,
    url: &str,
    headers: &[(&'static str, &str)],
) -> Result<Socket, (u16, String)> {
    Trust::of(sandbox).websocket(url, headers)
}

/// The status and text of a refusal.
pub(crate) type Refused = (u16, String);

/// Connects to a machine the way the tool does.
pub(crate) fn connect(sandbox: &Sandbox, relay: &Value) -> Result<Socket, Refused> {
    let text = |field: &str| relay[field].as_str().unwrap().to_owned();
    websocket(
        sandbox,
        &format!(
            "wss://{}.{}/$hc/{}?sb-hc-action=connect&sb-hc-id=test",
            text("namespaceName"),
            text("namespaceNameSuffix"),
            text("hybridConnectionName")
        ),
        &[
            ("ServiceBusAuthorization", &text("accessKey")),
            (
                "Service-Configuration-Token",
                &text("serviceConfigurationToken"),
            ),
            ("Microsoft-Guestgateway-Target", "localhost:22"),
        ],
    )
}
