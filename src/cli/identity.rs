//! Where commands have key and certificate kept.

use std::path::Path;

use clap::ValueEnum;

use super::context::Context;
use crate::certificate::{Certificate, RenewWhen};
use crate::failure::Failure;
use crate::identity::{self, OwnKey, Place};
use crate::ids::{ProfileName, TenantId};

/// Where to keep key and certificate besides our own agent and the keyring.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(super) enum KeptIn {
    /// In files that only you can read, for clients without an agent
    File,
    /// In your own agent, at `SSH_AUTH_SOCK`
    SystemAgent,
}

impl From<KeptIn> for Place {
    fn from(kept_in: KeptIn) -> Self {
        match kept_in {
            KeptIn::File => Self::Files,
            KeptIn::SystemAgent => Self::UserAgent,
        }
    }
}

/// Brings key and certificate in a place up to date with the keyring, and returns the certificate.
pub(super) async fn keep(
    context: &Context,
    profile: &ProfileName,
    tenant: Option<&TenantId>,
    place: Place,
) -> Result<Certificate, Failure> {
    let session = context.session_of(profile, tenant).await?;
    Ok(identity::keep(&context.host, &session, tenant, place).await?)
}

/// Returns the certificate for the user's key in `file`, and whether it is new. The account is opened only for a new one.
pub(super) async fn certificate_of_own_key(
    context: &Context,
    profile: &ProfileName,
    tenant: Option<&TenantId>,
    file: &Path,
    when: RenewWhen,
) -> Result<(Certificate, bool), Failure> {
    let own = OwnKey::read(&context.host, file, profile, tenant)?;
    if let Some(certificate) = own.certificate(when) {
        return Ok((certificate, false));
    }
    let session = context.session_of(profile, tenant).await?;
    Ok(own.renew(&session, when).await?)
}
