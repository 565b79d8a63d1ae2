//! What else than the keyring holds something of a profile, as a command reaches it.

use super::context::Context;
use crate::failure::Failure;
use crate::identity;
use crate::ids::ProfileName;
use crate::session::{Copies, Others, Profile};

impl Copies for Context {
    type Error = Failure;

    async fn forget(&self, name: &ProfileName) -> Result<bool, Failure> {
        self.agent.forget(name).await
    }

    async fn remove(&self, profile: &Profile, others: &Others) -> Result<Vec<String>, Failure> {
        let removed = identity::forget(&self.host, profile, others).await?;
        Ok(removed.iter().map(ToString::to_string).collect())
    }
}
