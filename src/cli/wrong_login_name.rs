//! A host that logs in as another account than the certificate is for: the machine denies that, and ssh does not say why.

use super::context::Context;
use super::ui;
use crate::failure::{last, wrong_login_name};
use crate::ids::Principal;

/// Warns of it on the terminal, even if quiet, and keeps it for `why`. A user may have told ssh another name (`-l`): so nothing is
/// refused.
pub(super) fn warn(context: &Context, login_name: Option<&Principal>, certified: &Principal) {
    let Some(login_name) = login_name.filter(|name| **name != *certified) else {
        return;
    };
    let failure = wrong_login_name(login_name.as_str(), certified.as_str());
    let hint = failure.hint.as_deref().unwrap_or_default();
    ui::ask(&format!("warning: {failure}\nhint: {hint}"));
    last::keep(&context.host, &failure);
}
