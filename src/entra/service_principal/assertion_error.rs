use std::io;
use std::path::PathBuf;

use serde::Deserialize;

use super::ClientCertificateError;
use crate::host::http::HttpError;
use crate::line::Line;

/// The claims of an assertion that a federated credential has to match.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
pub struct Presented {
    /// The `iss` claim.
    #[serde(rename = "iss", default)]
    pub issuer: Line,
    /// The `sub` claim.
    #[serde(rename = "sub", default)]
    pub subject: Line,
    /// The `aud` claim.
    #[serde(rename = "aud", default)]
    pub audience: Line,
}

/// Why there is no assertion.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AssertionError {
    /// The certificate's key does not sign.
    #[error("cannot sign with the client certificate")]
    Certificate(#[source] ClientCertificateError),
    /// The file holds no assertion.
    #[error("`{}` contains no token", path.display())]
    Empty { path: PathBuf },
    /// The file cannot be read.
    #[error("cannot read the federated token from `{}`", path.display())]
    File { path: PathBuf, source: io::Error },
    /// The machine issues no token for a managed identity.
    #[error("cannot acquire a managed identity token on this machine")]
    ManagedIdentity(#[source] azure_core::Error),
    /// The pipeline's service refused.
    #[error("{issuer} issued no ID token (HTTP status {status})")]
    Refused { issuer: &'static str, status: u16 },
    /// The pipeline's service cannot be reached.
    #[error("cannot request an ID token from {issuer}")]
    Unreachable {
        issuer: &'static str,
        source: HttpError,
    },
}
