//! The host keys of managed machines, which ssh keeps in a file of ours: machines that were renamed keep theirs.

use super::context::Context;
use crate::host::files::{self, Access};
use crate::ids::ResourceId;
use crate::ssh_config;

/// The longest `known_hosts` file that is read, in bytes.
const MAX_KNOWN_HOSTS_BYTES: usize = 16 * 1024 * 1024;

/// Has ssh find the host keys of these machines under the names that it knows them by now. A file that cannot be read or written
/// does not stop anything: ssh then asks for the key, as for that of a new machine.
pub(super) fn keep<'a>(context: &Context, machines: impl IntoIterator<Item = &'a ResourceId>) {
    let names: Vec<_> = machines
        .into_iter()
        .map(|machine| (machine.to_earlier_host_key_alias(), machine.to_host_name()))
        .collect();
    let path = context.host.paths.known_hosts();
    let Ok(Some(text)) = files::read_text_if_there(&path, MAX_KNOWN_HOSTS_BYTES) else {
        return;
    };
    if let Some(changed) = ssh_config::with_new_names(&text, &names) {
        let written = files::write(&path, changed.as_bytes(), Access::AsBefore);
        tracing::info!(?path, ?written, "names the host keys of machines anew");
    }
}
