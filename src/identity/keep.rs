use std::path::Path;

use super::certificate_file::good_certificate;
use super::error::IdentityError;
use super::key_files::{self, KeyFiles};
use super::place::Place;
use super::user_agent;
use crate::certificate::{Certificate, RenewWhen};
use crate::host::Host;
use crate::ids::TenantId;
use crate::issue::{self, SpareKeys};
use crate::session::Session;

/// Brings key and certificate in a place up to date with the keyring, and returns the certificate. `tenant` is the one that the
/// managed host names; `session` is opened in it.
///
/// # Errors
/// [`IdentityError`]; [`IdentityError::NoCertificate`] if the keyring holds none that is valid.
pub(crate) async fn keep(
    host: &Host,
    session: &Session,
    tenant: Option<&TenantId>,
    place: Place,
) -> Result<Certificate, IdentityError> {
    key_files::make_folder(&host.paths)?;
    let files = KeyFiles::of(&host.paths, &session.profile.name, tenant);
    let issued = if session.is_stored() {
        let stored = issue::stored(session).await?;
        stored.ok_or(IdentityError::NoCertificate)?
    } else {
        let now = host.clock.now();
        let good = good_certificate(&files.certificate, None, RenewWhen::Due, now);
        if let Some(certificate) = good.filter(|_| files.key_for(place).exists()) {
            return Ok(certificate);
        }
        // What the agent holds of an account that is stored nowhere does not leave it.
        issue::fresh(session, &SpareKeys::default(), |_| false).await?
    };
    if place == Place::UserAgent {
        let socket = host.env.var_os("SSH_AUTH_SOCK");
        let socket = Path::new(socket.ok_or(IdentityError::NoAgent)?);
        let label = user_agent::label(&session.profile, &session.tenant);
        user_agent::add(socket, &issued, &label, host.clock.now()).await?;
    }
    files.write(place, &issued)?;
    Ok(issued.certificate)
}
