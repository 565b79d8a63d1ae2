use std::io;
use std::path::PathBuf;

use serde::Deserialize;

use super::ClientCertificateError;
use crate::host::http::HttpError;
use crate::line::Line;

/// What an assertion says about itself: what a federated credential has to match.
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
    #[error("`{}` holds no token", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be read.
    #[error("cannot read the federated token from `{}`", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The machine gives no token for a managed identity.
    #[error("this machine gives no token for a managed identity")]
    ManagedIdentity(#[source] azure_core::Error),
    /// The pipeline's service refused.
    #[error("{issuer} gave no ID token (HTTP status {status})")]
    Refused {
        /// Who.
        issuer: &'static str,
        /// The HTTP status.
        status: u16,
    },
    /// The pipeline's service cannot be reached.
    #[error("cannot ask {issuer} for an ID token")]
    Unreachable {
        /// Who.
        issuer: &'static str,
        /// Why.
        source: HttpError,
    },
}
