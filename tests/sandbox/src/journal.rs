//! What was asked of the sandbox, one row a request, without the secrets.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::clock::{rfc3339, unix_now};
use crate::http::Fields;

/// Fields whose values never reach the journal.
const SECRETS: [&str; 12] = [
    "assertion",
    "client_assertion",
    "client_secret",
    "code",
    "code_verifier",
    "device_code",
    "id_token_hint",
    "password",
    "refresh_token",
    "sb-hc-rendezvous",
    "sb-hc-token",
    "token",
];

/// What stands in a secret's place.
const HIDDEN: &str = "***";

/// The oldest rows go when there are more than this.
const MAX_ROWS: usize = 10_000;

/// Which of the stood-in services a request went to.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Service {
    /// Azure Resource Manager.
    Arm,
    /// Entra ID.
    Entra,
    /// Azure Relay.
    Relay,
    /// Where workloads get an identity from.
    Workload,
}

/// One request.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct RequestRow {
    /// When the answer was known, as RFC 3339 UTC.
    pub time: String,
    /// Who was asked.
    pub service: Service,
    /// The HTTP method.
    pub method: String,
    /// The path as it was sent.
    pub path: String,
    /// The query's fields; secrets are `***`.
    pub query: BTreeMap<String, String>,
    /// The fields of a form body; secrets are `***`.
    pub form: BTreeMap<String, String>,
    /// The HTTP status that was answered; 0 where the connection was closed instead.
    pub status: u16,
}

/// The rows, oldest first.
#[derive(Default)]
pub(crate) struct Journal(Mutex<Vec<RequestRow>>);

impl Journal {
    pub(crate) fn record(
        &self,
        service: Service,
        method: &str,
        path: &str,
        query: &Fields,
        form: &Fields,
        status: u16,
    ) {
        let row = RequestRow {
            time: rfc3339(unix_now()),
            service,
            method: method.to_owned(),
            path: path.to_owned(),
            query: without_secrets(query),
            form: without_secrets(form),
            status,
        };
        let mut rows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if rows.len() == MAX_ROWS {
            rows.remove(0);
        }
        rows.push(row);
    }

    pub(crate) fn rows(&self) -> Vec<RequestRow> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(crate) fn clear(&self) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }
}

fn without_secrets(fields: &Fields) -> BTreeMap<String, String> {
    fields
        .iter()
        .map(|(name, value)| {
            let secret = SECRETS
                .iter()
                .any(|secret| name.eq_ignore_ascii_case(secret));
            let shown = if secret { HIDDEN } else { value };
            (name.to_owned(), shown.to_owned())
        })
        .collect()
}
