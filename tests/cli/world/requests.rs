//! The requests that the sandbox received.

use sandbox::{RequestRow, Service};

use super::World;

impl World {
    /// Returns the requests so far that `matches`.
    pub(crate) fn requests(&self, matches: impl Fn(&RequestRow) -> bool) -> Vec<RequestRow> {
        let mut rows = self.sandbox.requests();
        rows.retain(matches);
        rows
    }

    /// Counts the token requests.
    pub(crate) fn token_requests(&self) -> usize {
        self.requests(is_token_request).len()
    }

    /// Counts the requests for a certificate.
    pub(crate) fn certificate_requests(&self) -> usize {
        self.requests(|row| {
            is_token_request(row)
                && row.form.get("token_type").map(String::as_str) == Some("ssh-cert")
        })
        .len()
    }

    /// Counts the requests for relay credentials.
    pub(crate) fn credentials_requests(&self) -> usize {
        self.requests(|row| row.path.to_lowercase().ends_with("/listcredentials"))
            .len()
    }
}

pub(crate) fn is_token_request(row: &RequestRow) -> bool {
    row.service == Service::Entra && row.method == "POST" && row.path.ends_with("/token")
}
