//! Reads from the HTTP library's text that a proxy refused: its type for that is private.

/// How a proxy refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum ProxyRefusal {
    /// It wants to be authenticated to.
    AuthenticationRequired,
    /// It opens no tunnel to this host.
    NoTunnel,
}

/// Reads the text of one error in the chain (`TunnelError` of `hyper-util`).
pub(super) fn parse(text: &str) -> Option<ProxyRefusal> {
    match text.strip_prefix("tunnel error: ")? {
        "proxy authorization required" => Some(ProxyRefusal::AuthenticationRequired),
        "unsuccessful" => Some(ProxyRefusal::NoTunnel),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;
    use crate::host::tls;

    /// Returns what the library's errors say of a proxy that answers so.
    async fn texts(answer: &'static str) -> Vec<String> {
        let proxy = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", proxy.local_addr().unwrap());
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls::trusting_nobody().unwrap())
            .proxy(reqwest::Proxy::all(address).unwrap())
            .build()
            .unwrap();
        let answering = async {
            let (mut stream, _) = proxy.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                request.push(stream.read_u8().await.unwrap());
            }
            stream.write_all(answer.as_bytes()).await.unwrap();
        };
        let sent = client.get("https://host.example/").send();
        let (sent, ()) = tokio::join!(sent, answering);
        let error = sent.unwrap_err();
        let first: Option<&(dyn Error + 'static)> = Some(&error);
        let chain = std::iter::successors(first, |&error| error.source());
        chain.map(ToString::to_string).collect()
    }

    #[tokio::test]
    async fn the_librarys_texts_are_those_that_are_known() {
        for (answer, expected) in [
            (
                "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
                ProxyRefusal::AuthenticationRequired,
            ),
            ("HTTP/1.1 403 Forbidden\r\n\r\n", ProxyRefusal::NoTunnel),
            ("HTTP/1.1 502 Bad Gateway\r\n\r\n", ProxyRefusal::NoTunnel),
        ] {
            let texts = texts(answer).await;
            let found = texts.iter().find_map(|text| parse(text));
            assert_eq!(found, Some(expected), "{texts:?}");
        }
    }

    #[test]
    fn a_host_whose_name_holds_the_words_is_no_refusal() {
        for text in [
            "cannot reach `proxy-authorization-required.example`",
            "tunnel error: io error establishing tunnel",
            "dns error",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
