//! Refusals in ARM's shape: `{"error":{"code":"…","message":"…"}}`.

use serde_json::json;

use crate::http::{Reply, Request};

/// A refusal.
#[derive(Clone, Debug)]
pub(crate) struct ArmError {
    status: u16,
    code: String,
    message: String,
    headers: Vec<(String, String)>,
}

impl ArmError {
    pub(crate) fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self {
            status,
            code: code.to_owned(),
            message: message.into(),
            headers: Vec::new(),
        }
    }

    pub(crate) fn bad_request(code: &str, message: impl Into<String>) -> Self {
        Self::new(400, code, message)
    }

    pub(crate) fn not_found_path(request: &Request) -> Self {
        Self::new(
            404,
            "NotFound",
            format!(
                "The sandbox has no answer to {} {}.",
                request.method, request.path
            ),
        )
    }

    pub(crate) fn resource_not_found(kind: &str, name: &str, group: &str) -> Self {
        Self::new(
            404,
            "ResourceNotFound",
            format!(
                "The Resource '{kind}/{name}' under resource group '{group}' was not found. For \
                 more details please go to https://aka.ms/ARMResourceNotFoundFix"
            ),
        )
    }

    /// Adds a header.
    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub(crate) fn reply(self) -> Reply {
        let body = json!({"error": {"code": self.code, "message": self.message}});
        let mut reply = Reply::json(self.status, &body);
        reply.headers.extend(self.headers);
        reply
    }
}
