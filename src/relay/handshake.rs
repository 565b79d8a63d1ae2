//! The opening handshake (RFC 6455, section 4), as Azure Relay wants it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

use super::{Endpoint, RefusalReason, RelayError};
use crate::hex;
use crate::line::Line;
use crate::secret::Secret;

/// The longest head of a reply, in bytes.
pub(super) const MAX_HEAD_BYTES: usize = 16 * 1024;
/// What RFC 6455, section 1.3 has a server append to the key.
const KEY_SUFFIX: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// A handshake that has been sent.
pub(super) struct Handshake {
    key: String,
}

impl Handshake {
    /// Returns a handshake and the request that begins it; `nonce` and `id` are random.
    pub(super) fn begin(endpoint: &Endpoint, nonce: [u8; 16], id: [u8; 16]) -> (Self, Secret) {
        let key = STANDARD.encode(nonce);
        let mut request = format!(
            "GET /$hc/{path}?sb-hc-action=connect&sb-hc-id={id} HTTP/1.1\r\n\
             Host: {endpoint}\r\n\
             Upgrade: websocket\r\n\
             Connection: Upgrade\r\n\
             Sec-WebSocket-Key: {key}\r\n\
             Sec-WebSocket-Version: 13\r\n\
             User-Agent: entra-ssh/{version}\r\n\
             ServiceBusAuthorization: {access_key}\r\n\
             Microsoft-Guestgateway-Target: localhost:{port}\r\n",
            path = endpoint.path(),
            id = uuid(id),
            version = env!("CARGO_PKG_VERSION"),
            access_key = endpoint.access_key().expose(),
            port = endpoint.target_port(),
        );
        if let Some(token) = endpoint.service_configuration_token() {
            request.push_str("Service-Configuration-Token: ");
            request.push_str(token.expose());
            request.push_str("\r\n");
        }
        request.push_str("\r\n");
        (Self { key }, Secret::new(request))
    }

    /// Takes in what has been read so far. Returns how long the reply's head is, once it is whole and a consent; what
    /// follows it are frames.
    ///
    /// # Errors
    /// [`RelayError::Refused`] if the relay says no; [`RelayError::NotARelay`] if this is no handshake.
    pub(super) fn on_bytes(&self, host: &str, bytes: &[u8]) -> Result<Option<usize>, RelayError> {
        let not_a_relay = |reason: &str| RelayError::NotARelay {
            host: host.to_owned(),
            reason: reason.to_owned(),
        };
        let start = b"HTTP/1.1 ";
        let seen = bytes.len().min(start.len());
        if bytes.get(..seen) != start.get(..seen) {
            return Err(not_a_relay("its answer is not HTTP"));
        }
        let Some(length) = head_length(bytes) else {
            if bytes.len() >= MAX_HEAD_BYTES {
                return Err(not_a_relay("the head of its answer is too long"));
            }
            return Ok(None);
        };
        let head = String::from_utf8_lossy(bytes.get(..length).unwrap_or_default());
        let mut lines = head.split("\r\n");
        let status_line = lines.next().unwrap_or_default();
        let (status, text) =
            status_of(status_line).ok_or_else(|| not_a_relay("its answer has no status"))?;
        if status != 101 {
            let reason = RefusalReason::parse(status, &text);
            return Err(RelayError::Refused {
                reason,
                status,
                text,
            });
        }
        let header = |name: &str| {
            head.split("\r\n")
                .skip(1)
                .filter_map(|line| line.split_once(':'))
                .find(|(key, _)| key.eq_ignore_ascii_case(name))
                .map(|(_, value)| value.trim().to_owned())
        };
        if header("Sec-WebSocket-Accept").as_deref() != Some(self.accept().as_str()) {
            return Err(not_a_relay("its handshake is for another key"));
        }
        let says = |name: &str, word: &str| {
            header(name).is_some_and(|value| {
                value
                    .split(',')
                    .any(|part| part.trim().eq_ignore_ascii_case(word))
            })
        };
        if !says("Upgrade", "websocket") || !says("Connection", "upgrade") {
            return Err(not_a_relay("its answer does not change to WebSocket"));
        }
        if header("Sec-WebSocket-Extensions").is_some()
            || header("Sec-WebSocket-Protocol").is_some()
        {
            return Err(not_a_relay(
                "it uses an extension or protocol that was not offered",
            ));
        }
        Ok(Some(length))
    }

    fn accept(&self) -> String {
        let text = format!("{}{KEY_SUFFIX}", self.key);
        STANDARD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes()))
    }
}

fn head_length(bytes: &[u8]) -> Option<usize> {
    bytes
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .map(|position| position + 4)
}

fn status_of(line: &str) -> Option<(u16, Line)> {
    let rest = line.strip_prefix("HTTP/1.1 ")?;
    let (status, text) = rest.split_once(' ').unwrap_or((rest, ""));
    Some((status.parse().ok()?, text.trim().into()))
}

/// Writes random bytes as a UUID of version 4 (RFC 9562).
fn uuid(mut bytes: [u8; 16]) -> String {
    let [_, _, _, _, _, _, version, _, variant, ..] = &mut bytes;
    *version = *version & 0x0f | 0x40;
    *variant = *variant & 0x3f | 0x80;
    let mut text = hex::encode(&bytes);
    for position in [20, 16, 12, 8] {
        text.insert(position, '-');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begin() -> (Handshake, Secret) {
        let endpoint = Endpoint::new(
            "ns.servicebus.windows.net",
            "microsoft.hybridcompute/machines/ab/1/v2",
            Secret::new("SharedAccessSignature sr=x".to_owned()),
            Some(Secret::new("token".to_owned())),
            2222,
        )
        .unwrap();
        // The nonce of RFC 6455, section 1.3.
        Handshake::begin(&endpoint, *b"the sample nonce", [0; 16])
    }

    const CONSENT: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

    #[test]
    fn the_request_is_what_the_relay_wants() {
        let (handshake, request) = begin();
        assert_eq!(handshake.key, "dGhlIHNhbXBsZSBub25jZQ==");
        let request = request.expose();
        assert!(request.starts_with(
            "GET /$hc/microsoft.hybridcompute/machines/ab/1/v2?sb-hc-action=connect&\
             sb-hc-id=00000000-0000-4000-8000-000000000000 HTTP/1.1\r\nHost: ns.servicebus.windows.net\r\n"
        ));
        for line in [
            "ServiceBusAuthorization: SharedAccessSignature sr=x\r\n",
            "Service-Configuration-Token: token\r\n",
            "Microsoft-Guestgateway-Target: localhost:2222\r\n",
        ] {
            assert!(request.contains(line), "{line}");
        }
        assert!(request.ends_with("\r\n\r\n"));
    }

    #[test]
    fn a_consent_is_taken_whatever_its_pieces_and_frames_may_follow() {
        let (handshake, _) = begin();
        for length in 0..CONSENT.len() {
            let piece = &CONSENT.as_bytes()[..length];
            assert!(
                handshake.on_bytes("h", piece).unwrap().is_none(),
                "{length}"
            );
        }
        let with_frame = format!("{CONSENT}\x02\x01x");
        let length = handshake.on_bytes("h", with_frame.as_bytes()).unwrap();
        assert_eq!(length, Some(CONSENT.len()));
    }

    #[test]
    fn a_refusal_keeps_its_status_and_text() {
        let refusal =
            "HTTP/1.1 404 Endpoint does not exist. TrackingId:1\r\nContent-Length: 0\r\n\r\n";
        let error = begin().0.on_bytes("h", refusal.as_bytes()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the relay refused the connection: 404 Endpoint does not exist. TrackingId:1"
        );
    }

    #[test]
    fn reject_what_is_no_handshake() {
        let (handshake, _) = begin();
        let long = format!("HTTP/1.1 101 {}", "x".repeat(MAX_HEAD_BYTES));
        for answer in [
            "SSH-2.0-OpenSSH_9.2\r\n",
            "HTTP/1.1 abc\r\n\r\n",
            &CONSENT.replace("s3pP", "xxxx"),
            &CONSENT.replace("Upgrade: websocket", "Upgrade: h2c"),
            &CONSENT.replace("Connection: Upgrade", "Connection: close"),
            &CONSENT.replace(
                "\r\n\r\n",
                "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
            ),
            &long,
        ] {
            let error = handshake.on_bytes("h", answer.as_bytes()).unwrap_err();
            assert!(matches!(error, RelayError::NotARelay { .. }), "{answer}");
        }
    }
}
