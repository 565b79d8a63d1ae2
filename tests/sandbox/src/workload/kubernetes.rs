//! The token of a service account, in a file that is written anew before it expires.
//!
//! <https://azure.github.io/azure-workload-identity/docs/>

use std::fs;
use std::io;
use std::path::PathBuf;

use serde_json::json;

use super::{EXCHANGE_AUDIENCE, KUBERNETES, issuer};
use crate::world::World;

/// Returns where the token is.
pub(crate) fn file(world: &World) -> PathBuf {
    world.folder.join("federated-token")
}

/// Writes a fresh token in the old one's place, whole at every moment, and returns the file.
#[expect(clippy::disallowed_methods, reason = "the folder is private")]
pub(crate) fn write(world: &World) -> io::Result<PathBuf> {
    let token = issuer::assertion(world, KUBERNETES, EXCHANGE_AUDIENCE, &json!({}));
    let file = file(world);
    let next = file.with_extension("next");
    fs::write(&next, token)?;
    fs::rename(next, &file)?;
    Ok(file)
}
