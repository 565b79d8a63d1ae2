//! The authentication schemes that a proxy offers.

use crate::line::Line;

/// How many schemes are read at most.
const MAX_SCHEMES: usize = 8;
/// The longest name of a scheme to show, in characters.
const MAX_NAME_CHARS: usize = 32;

/// Returns the schemes that a refusal offers, in the order of the reply: the first words of the challenges (RFC 9110, section
/// 11.6.1) in `Proxy-Authenticate`, or in `WWW-Authenticate`, which some proxies send.
///
/// ```text
/// Proxy-Authenticate: Negotiate
/// Proxy-Authenticate: NTLM, Basic realm="corp, inc", charset="UTF-8"
/// ```
pub(super) fn schemes(head: &str) -> Vec<Line> {
    let mut schemes = Vec::new();
    let challenges = head
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once(':'))
        .filter(|(name, _)| {
            ["Proxy-Authenticate", "WWW-Authenticate"]
                .iter()
                .any(|expected| name.trim().eq_ignore_ascii_case(expected))
        })
        .flat_map(|(_, value)| parts(value));
    for part in challenges {
        // A part without a `=` in its first word begins a challenge; others are parameters of the one before.
        let word = part.split_whitespace().next().unwrap_or_default();
        if !word.is_empty() && !word.contains('=') && schemes.len() < MAX_SCHEMES {
            schemes.push(Line::from(word).shortened(MAX_NAME_CHARS));
        }
    }
    schemes
}

/// Splits at the commas that are not in quotes.
fn parts(value: &str) -> Vec<&str> {
    let mut is_quoted = false;
    let is_separator = |c: char| {
        is_quoted ^= c == '"';
        c == ',' && !is_quoted
    };
    value.split(is_separator).map(str::trim).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schemes_are_the_first_words_of_the_challenges() {
        for (headers, expected) in [
            ("Proxy-Authenticate: Negotiate", &["Negotiate"][..]),
            (
                "proxy-authenticate:NTLM\r\nProxy-Authenticate: Kerberos",
                &["NTLM", "Kerberos"],
            ),
            ("WWW-Authenticate: Basic realm=\"x\"", &["Basic"]),
            (
                "Proxy-Authenticate: Negotiate, NTLM, Basic realm=\"corp, inc\", charset=\"UTF-8\"",
                &["Negotiate", "NTLM", "Basic"],
            ),
            (
                "Proxy-Authenticate: Digest realm=\"a\", nonce=\"b\"",
                &["Digest"],
            ),
            ("Proxy-Authenticate: Negotiate YII=", &["Negotiate"]),
            ("Proxy-Authenticate:", &[]),
            ("Via: Basic", &[]),
        ] {
            let head = format!("HTTP/1.1 407 x\r\n{headers}\r\n\r\n");
            assert_eq!(schemes(&head), expected, "{headers}");
        }
    }

    #[test]
    fn no_more_than_a_few_short_names_are_kept() {
        let names = vec!["x".repeat(100); 100].join(", ");
        let found = schemes(&format!(
            "HTTP/1.1 407 x\r\nProxy-Authenticate: {names}\r\n\r\n"
        ));
        assert_eq!(found.len(), MAX_SCHEMES);
        assert!(
            found
                .iter()
                .all(|name| name.chars().count() <= MAX_NAME_CHARS + 1)
        );
    }
}
