//! The certificate authorities of the sandbox's own addresses, made anew at every start.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::TlsAcceptor;

/// The authority that clients are told to trust.
pub(crate) const AUTHORITY: &str = "entra-ssh sandbox CA";
/// The authority of a middlebox, which nobody was told to trust.
pub(crate) const INSPECTION_AUTHORITY: &str = "Contoso TLS Inspection CA";

/// What every listener of the sandbox is reached by.
const SERVER_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// The authority's certificate, and an acceptor that shows a certificate it signed.
pub(crate) struct Tls {
    pub(crate) ca_pem: String,
    pub(crate) acceptor: TlsAcceptor,
}

impl Tls {
    /// Makes an authority of that name, and a server certificate.
    ///
    /// # Errors
    ///
    /// Returns what `rcgen` or `rustls` did not like, in words.
    pub(crate) fn new(name: &str) -> Result<Self, String> {
        let (ca_pem, issuer) = authority(name).map_err(|error| error.to_string())?;
        let (chain, key) = server_certificate(&issuer).map_err(|error| error.to_string())?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
            .map_err(|error| error.to_string())?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            ca_pem,
            acceptor: TlsAcceptor::from(Arc::new(config)),
        })
    }
}

fn authority(name: &str) -> Result<(String, Issuer<'static, KeyPair>), rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, name);
    set_validity(&mut params);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    Ok((certificate.pem(), Issuer::new(params, key)))
}

type Chain = Vec<rustls::pki_types::CertificateDer<'static>>;

fn server_certificate(
    issuer: &Issuer<'static, KeyPair>,
) -> Result<(Chain, PrivateKeyDer<'static>), rcgen::Error> {
    let mut params = CertificateParams::new(SERVER_NAMES.map(String::from))?;
    params
        .distinguished_name
        .push(DnType::CommonName, "localhost");
    set_validity(&mut params);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, issuer)?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    Ok((vec![certificate.der().clone()], key))
}

/// Sets a span that no test run falls out of.
pub(crate) fn set_validity(params: &mut CertificateParams) {
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2049, 12, 31);
}
