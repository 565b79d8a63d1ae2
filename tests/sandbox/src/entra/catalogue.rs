//! How Entra words its refusals: what a fault that only names a code is answered with.
//!
//! Texts are those that the service sends, with made-up names in them.
//! <https://learn.microsoft.com/entra/identity-platform/reference-error-codes>

mod directory;
mod request;
mod sign_in;

use super::error::EntraError;

/// Codes, and the refusal that carries them.
struct Row {
    codes: &'static [u32],
    error: &'static str,
    suberror: Option<&'static str>,
    text: &'static str,
}

/// The sign-in has to be done over, with the claims that come along.
const BASIC: Option<&str> = Some("basic_action");
/// There is nothing that the client could do.
const MESSAGE: Option<&str> = Some("message_only");
const CONSENT: Option<&str> = Some("consent_required");
const BAD_TOKEN: Option<&str> = Some("bad_token");
const TOKEN_EXPIRED: Option<&str> = Some("token_expired");

const TABLES: [&[Row]; 3] = [sign_in::ROWS, directory::ROWS, request::ROWS];

fn rows() -> impl Iterator<Item = &'static Row> {
    TABLES.into_iter().flatten()
}

const fn row(
    codes: &'static [u32],
    error: &'static str,
    suberror: Option<&'static str>,
    text: &'static str,
) -> Row {
    Row {
        codes,
        error,
        suberror,
        text,
    }
}

/// Returns the refusal with that code; one that is not in the list is an `invalid_request`.
pub(crate) fn refusal(code: u32) -> EntraError {
    let Some(row) = rows().find(|row| row.codes.contains(&code)) else {
        return EntraError::invalid_request(code, "The request was refused.");
    };
    let status = match (row.error, code) {
        ("invalid_client", _) => 401,
        (_, 90_055) => 429,
        _ => 400,
    };
    let challenged = row.suberror == BASIC || row.suberror == MESSAGE;
    EntraError {
        status,
        suberror: row.suberror.map(str::to_owned),
        claims: challenged.then(|| super::step_up::challenge().to_string()),
        ..EntraError::new(row.error, code, row.text)
    }
}

/// Returns all codes that are worded.
pub(crate) fn codes() -> impl Iterator<Item = u32> {
    rows().flat_map(|row| row.codes.iter().copied())
}

#[cfg(test)]
mod tests {
    use super::{codes, refusal};

    #[test]
    fn no_code_is_worded_twice() {
        let mut all: Vec<u32> = codes().collect();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
        assert_eq!(refusal(50_076).suberror.as_deref(), Some("basic_action"));
        assert!(refusal(53_003).claims.is_some());
        assert_eq!(refusal(7_000_215).status, 401);
        assert_eq!(refusal(1).error, "invalid_request");
    }
}
