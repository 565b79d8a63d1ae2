use super::super::context::Context;
use super::super::ui::Ui;
use crate::cloud::Cloud;
use crate::host::http::Http;

/// What signing in takes.
pub(super) struct Setup<'a> {
    pub(super) ui: Ui,
    pub(super) context: &'a Context,
    pub(super) cloud: &'a Cloud,
    pub(super) http: &'a Http,
}
