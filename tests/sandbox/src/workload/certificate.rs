//! Certificates that service principals sign their assertions with.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use rcgen::{CertificateParams, DnType, KeyPair, PKCS_RSA_SHA256};
use rustls::pki_types::PrivatePkcs8KeyDer;

use crate::encoding::{hex, sha1};
use crate::keys::SigningKey;
use crate::tls::set_validity;
use crate::world::{World, lock};

/// What opens the file that has a password.
const PASSWORD: &str = "sandbox certificate password";

/// A key and its certificate, in the files that people have them in.
#[derive(Clone, Debug)]
pub struct ClientCertificate {
    /// The private key and the certificate, PEM.
    pub pem: PathBuf,
    /// Both as PKCS #12, with an empty password.
    pub pkcs12: PathBuf,
    /// Both as PKCS #12, with [`ClientCertificate::password`].
    pub protected_pkcs12: PathBuf,
    /// The password of the one that has one.
    pub password: String,
    /// The SHA-1 digest of the certificate, as the portal shows it.
    pub thumbprint: String,
}

/// Makes a certificate, registers it with an application, and writes it down.
pub(crate) fn make(world: &World, client_id: &str) -> Result<ClientCertificate, String> {
    if world.service_principal(client_id).is_none() {
        return Err(format!("there is no service principal `{client_id}`"));
    }
    let certificate = self_signed(client_id).map_err(|error| error.to_string())?;
    let folder = world
        .folder
        .join(format!("certificate-{}", uuid::Uuid::new_v4()));
    let files = write(&folder, &certificate).map_err(|error| error.to_string())?;
    lock(&world.entra)
        .certificates
        .entry(client_id.to_lowercase())
        .or_default()
        .push(certificate.pem);
    Ok(files)
}

struct SelfSigned {
    key_pem: String,
    pem: String,
    thumbprint: String,
}

fn self_signed(name: &str) -> Result<SelfSigned, rcgen::Error> {
    let der = PrivatePkcs8KeyDer::from(SigningKey::generate_pkcs8());
    let key = KeyPair::from_pkcs8_der_and_sign_algo(&der, &PKCS_RSA_SHA256)?;
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, name);
    set_validity(&mut params);
    let certificate = params.self_signed(&key)?;
    Ok(SelfSigned {
        key_pem: key.serialize_pem(),
        pem: certificate.pem(),
        thumbprint: hex(sha1(certificate.der())).to_uppercase(),
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "the folder is private, and `openssl` writes PKCS #12"
)]
fn write(folder: &Path, certificate: &SelfSigned) -> io::Result<ClientCertificate> {
    fs::create_dir(folder)?;
    let files = ClientCertificate {
        pem: folder.join("certificate.pem"),
        pkcs12: folder.join("certificate.pfx"),
        protected_pkcs12: folder.join("protected.pfx"),
        password: PASSWORD.to_owned(),
        thumbprint: certificate.thumbprint.clone(),
    };
    fs::write(
        &files.pem,
        format!("{}{}", certificate.key_pem, certificate.pem),
    )?;
    for (file, password) in [(&files.pkcs12, ""), (&files.protected_pkcs12, PASSWORD)] {
        let made = Command::new("openssl")
            .args(["pkcs12", "-export", "-in"])
            .arg(&files.pem)
            .arg("-out")
            .arg(file)
            .args(["-passout", &format!("pass:{password}")])
            .output()?;
        if !made.status.success() {
            return Err(io::Error::other(
                String::from_utf8_lossy(&made.stderr).into_owned(),
            ));
        }
    }
    Ok(files)
}
