//! TLS: which roots to trust, and how to open a handshake.

mod key_share;
mod named_roots;
mod server_certificate;

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::thread;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring::{self, kx_group};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, OtherError, RootCertStore,
    SignatureScheme,
};

use self::key_share::TWO_SHARES;
use self::named_roots::{MAX_CA_BYTES, Named};
pub(crate) use self::server_certificate::ServerCertificateError;

use self::server_certificate::explain;
use super::env::Env;
use super::files;
use crate::cloud::Cloud;

/// Returns the settings of a TLS client that trusts the system's roots, those that `SSL_CERT_FILE` and `SSL_CERT_DIR` name in
/// this environment, and those in `ca_file`.
///
/// The system's roots are some 140 certificates, and reading them takes longer than a handshake. Without a `ca_file` that is
/// done on a thread from now on, while the network is waited for; with one, only once a certificate comes that `ca_file`
/// does not vouch for.
///
/// The first flight has two key shares: P-384, which Azure's front ends ask for, and X25519, which most others do. Any other
/// would cost a round trip.
///
/// # Errors
/// [`TlsError::CaFile`] if `ca_file` cannot be read or holds no certificate; [`TlsError::Certificate`] if one in it cannot be
/// used; [`TlsError::Settings`] if the TLS library refuses the settings. If the system has no roots at all, the handshake
/// fails.
pub fn client_config(ca_file: Option<&Path>, env: &Env) -> Result<Arc<ClientConfig>, TlsError> {
    let provider = provider();
    let system = SystemRoots::new(&provider, Named::of(env));
    if ca_file.is_none() {
        system.read_ahead();
    }
    let own = ca_file.map(|path| own_roots(path, &provider)).transpose()?;
    let verifier = Roots {
        own,
        system,
        algorithms: provider.signature_verification_algorithms,
    };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Settings)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// Returns the settings of a TLS client for a cloud: [`client_config`] with the roots that its file names.
///
/// # Errors
/// As [`client_config`].
pub(crate) fn for_cloud(cloud: &Cloud, env: &Env) -> Result<Arc<ClientConfig>, TlsError> {
    client_config(cloud.ca_file.as_deref(), env)
}

/// Starts generating the first key share of the next handshake, while the caller waits for something else.
pub(crate) fn make_key_share() {
    TWO_SHARES.make_ahead();
}

/// Returns the settings of a TLS client that opens no connection at all, for a client that speaks plain HTTP.
///
/// # Errors
/// [`TlsError::Settings`] if the TLS library refuses the settings.
pub(crate) fn trusting_nobody() -> Result<ClientConfig, TlsError> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Settings)?;
    Ok(builder
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth())
}

/// Returns the cryptography, with two key shares for the first flight.
fn provider() -> Arc<CryptoProvider> {
    let mut provider = ring::default_provider();
    provider.kx_groups = vec![&TWO_SHARES, kx_group::SECP384R1, kx_group::SECP256R1];
    Arc::new(provider)
}

fn own_roots(
    path: &Path,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<WebPkiServerVerifier>, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in read_certificates(path)? {
        roots
            .add(certificate)
            .map_err(|source| TlsError::Certificate {
                path: path.to_owned(),
                source,
            })?;
    }
    verifier(roots, provider).map_err(TlsError::Settings)
}

fn verifier(
    roots: RootCertStore,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<WebPkiServerVerifier>, rustls::Error> {
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
        .build()
        .map_err(|error| rustls::Error::General(error.to_string()))
}

/// The roots of `ca_file`, if there is one, and behind them those of the system.
#[derive(Debug)]
struct Roots {
    own: Option<Arc<WebPkiServerVerifier>>,
    system: SystemRoots,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Roots {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verify = |roots: &WebPkiServerVerifier| {
            roots.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
        };
        let system = || verify(&*self.system.verifier()?);
        let verified = match self.own.as_deref().map(verify) {
            None => system(),
            Some(Err(refusal)) => system().map_err(|other| the_closer(refusal, other)),
            Some(verified) => verified,
        };
        verified.map_err(|error| explain(error, end_entity, intermediates))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// Returns the more telling of two errors about a certificate, from our own roots and from the system's: roots that know its
/// issuer have checked the rest of it.
fn the_closer(own: rustls::Error, systems: rustls::Error) -> rustls::Error {
    let is_known = |error: &rustls::Error| matches!(error, rustls::Error::InvalidCertificate(problem) if *problem != CertificateError::UnknownIssuer);
    if is_known(&own) || !is_known(&systems) {
        own
    } else {
        systems
    }
}

type Read = Result<Arc<WebPkiServerVerifier>, rustls::Error>;

/// The system's roots, read once and on first use.
#[derive(Clone, Debug)]
struct SystemRoots {
    read: Arc<OnceLock<Read>>,
    provider: Arc<CryptoProvider>,
    named: Named,
}

impl SystemRoots {
    fn new(provider: &Arc<CryptoProvider>, named: Named) -> Self {
        Self {
            read: Arc::default(),
            provider: Arc::clone(provider),
            named,
        }
    }

    /// Starts reading them on a thread of their own; a caller that needs them meanwhile waits for it.
    fn read_ahead(&self) {
        let roots = self.clone();
        // Without a thread, they are read when they are needed.
        let _begun = thread::Builder::new().spawn(move || drop(roots.verifier()));
    }

    fn verifier(&self) -> Read {
        self.read
            .get_or_init(|| {
                let mut roots = RootCertStore::empty();
                roots.add_parsable_certificates(system_roots(&self.named));
                if roots.is_empty() {
                    return Err(rustls::Error::Other(OtherError(Arc::new(
                        TlsError::NoRoots,
                    ))));
                }
                verifier(roots, &self.provider)
            })
            .clone()
    }
}

/// Where systems keep all their roots in one file: Debian and Ubuntu, Red Hat, SUSE, Alpine and macOS.
const BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Returns the system's roots and those that the caller's variables name.
///
/// The library replaces the system's roots by those that variables of this process name. This process may be the agent, which
/// acts for other callers and has the variables of the process that started it.
fn system_roots(named: &Named) -> Vec<CertificateDer<'static>> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the library reads these variables itself, of this process"
    )]
    let is_process_misled = ["SSL_CERT_FILE", "SSL_CERT_DIR"]
        .iter()
        .any(|name| std::env::var_os(name).is_some());
    if named.is_empty() && !is_process_misled {
        return rustls_native_certs::load_native_certs().certs;
    }
    let bundle = BUNDLES.iter().map(Path::new).find(|path| path.is_file());
    let mut roots = named.certificates();
    roots.extend(rustls_native_certs::load_certs_from_paths(bundle, None).certs);
    roots
}

/// Reads certificates in PEM, or one in DER.
fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let refusal = |source: Box<dyn Error + Send + Sync>| TlsError::CaFile {
        path: path.to_owned(),
        source,
    };
    let bytes = files::read_capped(path, MAX_CA_BYTES).map_err(|error| refusal(error.into()))?;
    let certificates: Vec<_> = match files::decode_text(&bytes) {
        Some(text) => CertificateDer::pem_slice_iter(text.as_bytes())
            .collect::<Result<_, _>>()
            .map_err(|error| refusal(error.to_string().into()))?,
        None => vec![CertificateDer::from(bytes)],
    };
    if certificates.is_empty() {
        return Err(refusal("it contains no certificate".into()));
    }
    Ok(certificates)
}

/// Returns the error of the TLS library inside one of the system's kind, however often libraries have wrapped that.
#[must_use]
pub(crate) fn handshake_error(error: &io::Error) -> Option<&rustls::Error> {
    let inner = error.get_ref()?;
    match inner.downcast_ref::<io::Error>() {
        Some(error) => handshake_error(error),
        None => inner.downcast_ref(),
    }
}

/// Returns the text of what our own verifier found, which the TLS library wraps in words of its own.
#[must_use]
pub(crate) fn own_finding(error: &(dyn Error + 'static)) -> Option<String> {
    let handshake = error.downcast_ref::<io::Error>().and_then(handshake_error);
    match handshake.or_else(|| error.downcast_ref())? {
        rustls::Error::Other(OtherError(finding)) => Some(finding.to_string()),
        _ => None,
    }
}

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The file of further roots cannot be used.
    #[error("cannot read root certificates from `{}`", path.display())]
    CaFile {
        path: PathBuf,
        source: Box<dyn Error + Send + Sync>,
    },
    /// A certificate in the file of further roots cannot be used as one.
    #[error("cannot use a certificate in `{}` as a root", path.display())]
    Certificate {
        path: PathBuf,
        source: rustls::Error,
    },
    /// Neither the system nor a file holds a root certificate.
    #[error("the system has no root certificates")]
    NoRoots,
    /// The TLS library refused its settings.
    #[error("cannot set up TLS")]
    Settings(#[source] rustls::Error),
}

impl TlsError {
    /// Returns our own error, if that is why a TLS connection failed.
    #[must_use]
    pub fn of(error: &rustls::Error) -> Option<&Self> {
        match error {
            rustls::Error::Other(OtherError(inner)) => inner.downcast_ref(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reject_a_ca_file_without_a_certificate() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        assert!(matches!(
            client_config(Some(&path), &Env::default()),
            Err(TlsError::CaFile { .. })
        ));
        files::write(&path, b"hello", files::Access::Private).unwrap();
        assert!(matches!(
            client_config(Some(&path), &Env::default()),
            Err(TlsError::CaFile { .. })
        ));
    }

    #[test]
    fn a_ca_file_is_pem_with_or_without_a_byte_order_mark_or_der() {
        let pem = include_str!("../entra/testdata/client.pem");
        let der = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca");
        let windows = pem.replace('\n', "\r\n");
        for contents in [
            pem.as_bytes(),
            format!("\u{feff}{windows}").as_bytes(),
            &der,
        ] {
            files::write(&path, contents, files::Access::Private).unwrap();
            assert_eq!(
                read_certificates(&path).unwrap(),
                std::slice::from_ref(&der)
            );
        }
    }

    #[test]
    fn what_the_roots_say_that_know_the_issuer_counts() {
        let unknown = || rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let expired = || rustls::Error::InvalidCertificate(CertificateError::Expired);
        let without_roots = || rustls::Error::Other(OtherError(Arc::new(TlsError::NoRoots)));
        assert_eq!(the_closer(unknown(), expired()), expired());
        assert_eq!(the_closer(expired(), unknown()), expired());
        assert_eq!(the_closer(unknown(), without_roots()), unknown());
    }
}
