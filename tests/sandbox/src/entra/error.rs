//! Refusals, in the shape of Entra's token endpoint.
//!
//! ```text
//! {"error":"invalid_grant","error_description":"AADSTS70008: … Trace ID: … Correlation ID: … Timestamp: …",
//!  "error_codes":[70008],"timestamp":"…","trace_id":"…","correlation_id":"…","error_uri":"…"}
//! ```

use serde_json::{Value, json};
use uuid::Uuid;

use crate::clock::{entra_timestamp, unix_now};
use crate::http::{Reply, Request};

/// A refusal.
#[derive(Clone, Debug)]
pub(crate) struct EntraError {
    pub(crate) status: u16,
    pub(crate) error: String,
    pub(crate) aadsts: u32,
    pub(crate) description: String,
    pub(crate) claims: Option<String>,
    pub(crate) suberror: Option<String>,
    pub(crate) retry_after: Option<u64>,
}

impl EntraError {
    pub(crate) fn new(error: &str, aadsts: u32, description: impl Into<String>) -> Self {
        Self {
            status: 400,
            error: error.to_owned(),
            aadsts,
            description: description.into(),
            claims: None,
            suberror: None,
            retry_after: None,
        }
    }

    pub(crate) fn invalid_request(aadsts: u32, description: impl Into<String>) -> Self {
        Self::new("invalid_request", aadsts, description)
    }

    pub(crate) fn invalid_grant(aadsts: u32, description: impl Into<String>) -> Self {
        Self::new("invalid_grant", aadsts, description)
    }

    /// The client did not prove who it is.
    pub(crate) fn invalid_client(aadsts: u32, description: impl Into<String>) -> Self {
        Self {
            status: 401,
            ..Self::new("invalid_client", aadsts, description)
        }
    }

    /// A field is missing.
    pub(crate) fn missing(field: &str) -> Self {
        Self::invalid_request(
            900_144,
            format!("The request body must contain the following parameter: '{field}'."),
        )
    }

    /// Returns the reply, with a trace of its own.
    pub(crate) fn reply(&self, authority: &str, request: &Request) -> Reply {
        let reply = Reply::json(self.status, &self.body(authority, request));
        match self.retry_after {
            Some(seconds) => reply.with("Retry-After", seconds.to_string()),
            None => reply,
        }
    }

    /// Returns the text that is shown to people.
    pub(crate) fn text(&self) -> String {
        if self.description.starts_with("AADSTS") {
            self.description.clone()
        } else {
            format!("AADSTS{}: {}", self.aadsts, self.description)
        }
    }

    /// Returns that text with what support asks for, on lines of their own, as redirects have it.
    pub(crate) fn text_with_trace(&self) -> String {
        format!(
            "{}\r\nTrace ID: {}\r\nCorrelation ID: {}\r\nTimestamp: {}",
            self.text(),
            Uuid::new_v4(),
            Uuid::new_v4(),
            entra_timestamp(unix_now())
        )
    }

    fn body(&self, authority: &str, request: &Request) -> Value {
        let trace_id = Uuid::new_v4();
        let correlation_id = correlation_id(request);
        let timestamp = entra_timestamp(unix_now());
        let mut body = json!({
            "error": self.error,
            "error_description": format!(
                "{} Trace ID: {trace_id} Correlation ID: {correlation_id} Timestamp: {timestamp}",
                self.text(),
            ),
            "error_codes": [self.aadsts],
            "timestamp": timestamp,
            "trace_id": trace_id.to_string(),
            "correlation_id": correlation_id,
            "error_uri": format!("{authority}/error?code={}", self.aadsts),
        });
        if let Some(claims) = &self.claims {
            body["claims"] = json!(claims);
        }
        if let Some(suberror) = &self.suberror {
            body["suberror"] = json!(suberror);
        }
        body
    }
}

/// Returns the ID the client gave its request, or a new one.
pub(crate) fn correlation_id(request: &Request) -> String {
    request
        .header("client-request-id")
        .filter(|id| Uuid::parse_str(id).is_ok())
        .map_or_else(|| Uuid::new_v4().to_string(), str::to_owned)
}
