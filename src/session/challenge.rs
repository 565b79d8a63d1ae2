use serde::{Deserialize, Serialize};

use crate::entra::Application;
use crate::ids::TenantId;

/// What a user can meet by signing in to an application once more.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Challenge {
    /// The tenant whose policies ask.
    pub tenant: TenantId,
    /// The application.
    pub application: Application,
    /// The claims that Entra asks for, in JSON.
    pub claims: Option<String>,
}
