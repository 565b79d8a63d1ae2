//! What differs from run to run, taken out of what programs print.

use super::World;
use super::ports::own_loopback;
use super::run::Output;

impl World {
    /// Returns what a program said on standard error, with `[HOME]`, `[RUN]`, `[SANDBOX]`, `[PORT]`, `[FINGERPRINT]`,
    /// `[TIME]`, and `[ID]` for what only this run has.
    pub(crate) fn filtered(&self, output: &Output) -> String {
        self.filtered_text(&output.stderr)
    }

    /// Returns a text of programs, as [`World::filtered`].
    pub(crate) fn filtered_text(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (value, name) in [
            (self.home().display().to_string(), "[HOME]"),
            (self.runtime().display().to_string(), "[RUN]"),
            (self.sandbox.authority().to_owned(), "[SANDBOX]"),
            (own_loopback().to_string(), "127.0.0.1"),
        ] {
            text = text.replace(&value, name);
        }
        let text = words_after(&text, "SHA256:", "[FINGERPRINT]", |c| {
            c.is_ascii_alphanumeric() || "+/=".contains(c)
        });
        let text = words_after(&text, "127.0.0.1:", "127.0.0.1:[PORT]", |c| {
            c.is_ascii_digit()
        });
        let text = words_after(&text, "localhost:", "localhost:[PORT]", |c| {
            c.is_ascii_digit()
        });
        let text = words_after(&text, "correlation id: ", "correlation id: [ID]", |c| {
            c.is_ascii_hexdigit() || c == '-'
        });
        times(&text)
    }

    /// Checks how a program ended, and all that it said on standard error, filtered.
    #[track_caller]
    pub(crate) fn assert_told(&self, output: &Output, status: i32, expected: &str) {
        output.ended_with(status);
        assert_eq!(self.filtered(output), expected);
    }

    /// Runs `entra-ssh`, and checks how it ends, and all that it says on standard error, filtered.
    #[track_caller]
    pub(crate) fn assert_refused(&self, arguments: &[&str], status: i32, expected: &str) {
        self.assert_told(&self.entra_ssh(arguments), status, expected);
    }
}

/// Replaces `start` and the run of `part` behind it by `name`.
fn words_after(text: &str, start: &str, name: &str, part: impl Fn(char) -> bool) -> String {
    let mut pieces = text.split(start);
    let mut result = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        result.push_str(name);
        result.push_str(piece.trim_start_matches(&part));
    }
    result
}

/// Replaces RFC 3339 in UTC.
fn times(text: &str) -> String {
    const FORM: &[u8] = b"0000-00-00T00:00:00Z";
    let bytes = text.as_bytes();
    let is_time = |window: &[u8]| {
        window.iter().zip(FORM).all(|(byte, form)| match form {
            b'0' => byte.is_ascii_digit(),
            sign => byte == sign,
        })
    };
    let Some(start) = bytes.windows(FORM.len()).position(is_time) else {
        return text.to_owned();
    };
    let (before, rest) = text.split_at(start);
    let (_, after) = rest.split_at(FORM.len());
    format!("{before}[TIME]{}", times(after))
}

#[test]
fn times_fingerprints_and_ports_are_taken_out() {
    assert_eq!(
        times("from 2026-01-02T03:04:05Z to 2026-01-02T03:04:05Z."),
        "from [TIME] to [TIME]."
    );
    assert_eq!(
        words_after("is `SHA256:ab+/c`", "SHA256:", "[FINGERPRINT]", |c| c
            .is_ascii_alphanumeric()
            || "+/=".contains(c)),
        "is `[FINGERPRINT]`"
    );
}
