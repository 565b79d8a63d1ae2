//! What to do about a malformed name or ID.

use super::{Failure, FailureKind};
use crate::ids::ParseIdError;

impl From<ParseIdError> for Failure {
    fn from(error: ParseIdError) -> Self {
        Self::of(&error).kind(FailureKind::Usage)
    }
}
