//! What to do about a cloud file.

use super::Failure;
use crate::cloud::CloudError;

impl From<CloudError> for Failure {
    fn from(error: CloudError) -> Self {
        let failure = Self::of(&error);
        match &error {
            CloudError::Credentials { key }
            | CloudError::NotHttps { key, .. }
            | CloudError::Query { key } => {
                failure.hint(format!("set in the cloud file: {key} = \"https://HOST\""))
            }
            _ => failure,
        }
    }
}
