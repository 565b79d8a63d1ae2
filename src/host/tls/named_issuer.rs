use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, SignatureScheme};
use x509_cert::Certificate;
use x509_cert::der::Decode as _;

/// Verifies as the TLS library does, and names the issuer where that is not trusted: who reads TLS on the way, most likely.
#[derive(Debug)]
pub(super) struct NamedIssuer(Arc<WebPkiServerVerifier>);

impl NamedIssuer {
    pub(super) const fn new(verifier: Arc<WebPkiServerVerifier>) -> Self {
        Self(verifier)
    }
}

/// A certificate by an issuer that is not trusted.
#[derive(Debug, thiserror::Error)]
#[error("its certificate is issued by `{issuer}`, which is not trusted here")]
struct UntrustedIssuer {
    issuer: String,
}

impl ServerCertVerifier for NamedIssuer {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.0
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
            .map_err(|error| match error {
                Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
                    // The topmost certificate that was sent names who is behind it.
                    let topmost = intermediates.last().unwrap_or(end_entity);
                    match issuer_of(topmost) {
                        Some(issuer) => {
                            Error::Other(OtherError(Arc::new(UntrustedIssuer { issuer })))
                        }
                        None => error,
                    }
                }
                other => other,
            })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

/// Returns the issuer's distinguished name (RFC 4514) without what a terminal could take for more than text.
fn issuer_of(certificate: &CertificateDer<'_>) -> Option<String> {
    let certificate = Certificate::from_der(certificate).ok()?;
    let name = certificate.tbs_certificate.issuer.to_string();
    Some(name.escape_debug().to_string())
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::pem::PemObject as _;

    use super::*;

    #[test]
    fn the_issuer_is_read_from_the_certificate() {
        let pem = include_bytes!("../../entra/testdata/client.pem");
        let certificate = CertificateDer::from_pem_slice(pem).unwrap();
        assert_eq!(
            issuer_of(&certificate).as_deref(),
            Some("CN=client.example")
        );
        assert_eq!(issuer_of(&CertificateDer::from(vec![1, 2, 3])), None);
    }
}
