//! TLS: which roots are trusted, and how a handshake is opened.

mod named_issuer;

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::{VerifierBuilderError, WebPkiServerVerifier};
use rustls::crypto::ring::{self, kx_group};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

use self::named_issuer::NamedIssuer;

/// Returns the settings of a TLS client that trusts the system's roots, those that `SSL_CERT_FILE` and `SSL_CERT_DIR` name,
/// and those in `ca_file`.
///
/// The first key share is P-384, which Azure's front ends ask for: any other costs a round trip there.
///
/// # Errors
/// [`TlsError::CaFile`] if `ca_file` cannot be read or holds no certificate; [`TlsError::NoRoots`] if there is no root
/// at all; [`TlsError::Settings`] if the TLS library refuses the settings.
pub fn client_config(ca_file: Option<&Path>) -> Result<Arc<ClientConfig>, TlsError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(system_roots());
    if let Some(path) = ca_file {
        for certificate in read_pem(path)? {
            roots
                .add(certificate)
                .map_err(|source| TlsError::Certificate {
                    path: path.to_owned(),
                    source,
                })?;
        }
    }
    if roots.is_empty() {
        return Err(TlsError::NoRoots);
    }
    Ok(Arc::new(trusting(roots)?))
}

/// Returns the settings of a TLS client that opens no connection at all, for a client that speaks plain HTTP.
///
/// # Errors
/// [`TlsError::Settings`] if the TLS library refuses the settings.
pub fn trusting_nobody() -> Result<ClientConfig, TlsError> {
    trusting(RootCertStore::empty())
}

fn trusting(roots: RootCertStore) -> Result<ClientConfig, TlsError> {
    let mut provider = ring::default_provider();
    provider.kx_groups = vec![kx_group::SECP384R1, kx_group::X25519, kx_group::SECP256R1];
    let provider = Arc::new(provider);
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Settings)?;
    if roots.is_empty() {
        return Ok(builder.with_root_certificates(roots).with_no_client_auth());
    }
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(TlsError::Verifier)?;
    Ok(builder
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(NamedIssuer::new(verifier)))
        .with_no_client_auth())
}

/// Where systems keep all their roots in one file: Debian and Ubuntu, Red Hat, SUSE, Alpine and macOS.
const BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Returns the system's roots. The library takes what the variables name in their place; here it comes on top.
fn system_roots() -> Vec<CertificateDer<'static>> {
    let mut roots = rustls_native_certs::load_native_certs().certs;
    #[expect(
        clippy::disallowed_methods,
        reason = "the library has just read the same variables itself"
    )]
    let is_named = ["SSL_CERT_FILE", "SSL_CERT_DIR"]
        .iter()
        .any(|name| std::env::var_os(name).is_some());
    if is_named {
        let bundle = BUNDLES.iter().map(Path::new).find(|path| path.is_file());
        roots.extend(rustls_native_certs::load_certs_from_paths(bundle, None).certs);
    }
    roots
}

fn read_pem(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let refusal = |source: Box<dyn std::error::Error + Send + Sync>| TlsError::CaFile {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(|error| refusal(error.into()))?;
    let certificates: Vec<_> = CertificateDer::pem_reader_iter(BufReader::new(file))
        .collect::<Result<_, _>>()
        .map_err(|error| refusal(error.to_string().into()))?;
    if certificates.is_empty() {
        return Err(refusal("there is no certificate in it".into()));
    }
    Ok(certificates)
}

/// Why there are no settings for TLS.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The file of further roots cannot be used.
    #[error("cannot read root certificates from `{}`", path.display())]
    CaFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A certificate in the file of further roots cannot be used as one.
    #[error("cannot use a certificate in `{}` as a root", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rustls::Error,
    },
    /// Neither the system nor a file gave a root certificate.
    #[error("the system has no root certificates")]
    NoRoots,
    /// The TLS library refused its settings.
    #[error("cannot set up TLS")]
    Settings(#[source] rustls::Error),
    /// The TLS library refused the roots.
    #[error("cannot set up TLS")]
    Verifier(#[source] VerifierBuilderError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reject_a_ca_file_without_a_certificate() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        assert!(matches!(
            client_config(Some(&path)),
            Err(TlsError::CaFile { .. })
        ));
        crate::host::files::write(&path, b"hello", crate::host::files::Access::Private).unwrap();
        assert!(matches!(
            client_config(Some(&path)),
            Err(TlsError::CaFile { .. })
        ));
    }
}
