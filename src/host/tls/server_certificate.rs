use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::{CertificateError, Error, OtherError};
use x509_cert::Certificate;
use x509_cert::der::Decode as _;

use crate::line::Line;

/// Names the issuer where that is what is not trusted: who reads TLS on the way, most likely.
pub(super) fn name_issuer(
    error: Error,
    end_entity: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
) -> Error {
    if error != Error::InvalidCertificate(CertificateError::UnknownIssuer) {
        return error;
    }
    // The topmost certificate that was sent names who is behind it.
    match issuer_of(intermediates.last().unwrap_or(end_entity)) {
        Some(issuer) => Error::Other(OtherError(Arc::new(UntrustedIssuer { issuer }))),
        None => error,
    }
}

/// A certificate by an issuer that is not trusted.
#[derive(Debug, thiserror::Error)]
#[error("its certificate is issued by `{issuer}`, which is not trusted here")]
struct UntrustedIssuer {
    issuer: Line,
}

/// Returns the issuer's distinguished name (RFC 4514).
fn issuer_of(certificate: &CertificateDer<'_>) -> Option<Line> {
    let certificate = Certificate::from_der(certificate).ok()?;
    let name = certificate.tbs_certificate.issuer.to_string();
    Some(name.into())
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
