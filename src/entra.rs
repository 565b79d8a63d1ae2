//! Signs in to Entra ID, and acquires tokens and SSH certificates.
//!
//! A certificate is acquired like any token, by any grant of RFC 6749, with a few more form fields that carry the public
//! key ([`CertificateRequest`]); the `access_token` of the reply is then a certificate. Flows of users are state machines
//! over replies (`on_reply(now, reply) -> Step`) with a small driver each. Service principals go through `azure_identity`,
//! with a pipeline policy of ours that adds those fields.
//!
//! It does not decide whether a certificate can be trusted: [`crate::certificate`] does.

mod aadsts;
mod authorization_code;
mod certificate_request;
mod device_code;
mod discovery;
mod endpoint;
mod error;
mod prompt;
mod refresh;
mod refusal;
mod reply;
mod service_principal;

#[cfg(test)]
pub(crate) use self::aadsts::Aadsts;
pub(crate) use self::aadsts::Meaning;
pub(crate) use self::authorization_code::{AuthorizationCode, Pasted};
pub(crate) use self::certificate_request::{CertificateRequest, Wanted};
pub(crate) use self::device_code::{begin_device_code, wait_for_device_code};
pub(crate) use self::discovery::tenant_id;
pub(crate) use self::error::EntraError;
pub(crate) use self::prompt::{Application, Prompt};
pub(crate) use self::refresh::refresh;
pub(crate) use self::refusal::{Refusal, Remedy};
pub(crate) use self::reply::{Identity, Tokens};
pub(crate) use self::service_principal::{
    AssertionError, ClientCertificate, ClientCertificateError, OidcRequest, Proof,
    ServicePrincipal, client_credentials,
};

use self::endpoint::endpoint;
