//! Text on one line, safe to show.
//!
//! What Entra, Azure, a relay, a proxy or a certificate says reaches terminals, logs and files. It may hold what a terminal
//! obeys (escape sequences), what reorders or hides text (bidirectional and zero-width characters), line breaks that forge
//! lines of ours (`hint: …`), or no end. [`Line`] is the type of such text: made once where the text comes in, and clean from
//! then on.

use std::borrow::{Borrow, Cow};
use std::fmt::{self, Write as _};
use std::ops::Deref;

use serde::{Deserialize, Serialize};

/// The longest text, in characters; Azure's longest messages list policies and have about 1,500.
pub(crate) const MAX_CHARS: usize = 2000;

/// Text on one line, without what a terminal obeys or does not show, and not longer than [`MAX_CHARS`].
///
/// ```
/// # use entra_ssh::internal::line::Line;
/// let line = Line::from("no\u{1b}[2J\r\nhint: run evil");
/// assert_eq!(line.as_str(), "no\u{fffd}[2J hint: run evil");
/// ```
#[derive(Clone, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(from = "String", into = "String")]
pub struct Line(Box<str>);

impl Line {
    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns at most so many characters of the text, with a sign where it is cut.
    #[must_use]
    pub fn shortened(&self, limit: usize) -> Self {
        Self(cut(&self.0, limit).into_owned().into())
    }
}

impl From<&str> for Line {
    fn from(text: &str) -> Self {
        Self(cut(&cleaned(text), MAX_CHARS).into_owned().into())
    }
}

impl From<String> for Line {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<&String> for Line {
    fn from(text: &String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<Line> for String {
    fn from(line: Line) -> Self {
        line.0.into()
    }
}

impl Deref for Line {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Line {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl PartialEq<str> for Line {
    fn eq(&self, other: &str) -> bool {
        *self.0 == *other
    }
}

impl PartialEq<&str> for Line {
    fn eq(&self, other: &&str) -> bool {
        *self.0 == **other
    }
}

impl PartialEq<String> for Line {
    fn eq(&self, other: &String) -> bool {
        *self.0 == **other
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Returns whether a character is shown as itself: it is no control character, and neither ignored by default nor for the
/// order of text (`Default_Ignorable_Code_Point` and `Bidi_Control` of Unicode 16, and what breaks lines and annotates).
#[must_use]
pub(crate) fn is_shown(c: char) -> bool {
    !c.is_control()
        && !matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Returns text with line breaks and tabs as they are, and a sign in place of every other character that is not shown.
#[must_use]
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    let is_fine = |c| is_shown(c) || matches!(c, '\n' | '\t');
    if text.chars().all(is_fine) {
        return text.into();
    }
    let shown = text.chars().map(|c| {
        if is_fine(c) {
            c
        } else {
            char::REPLACEMENT_CHARACTER
        }
    });
    shown.collect::<String>().into()
}

/// Returns text on one line, of any length: line breaks and tabs become a space, whatever else is not shown a sign.
#[must_use]
pub(crate) fn cleaned(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_shown) {
        return text.into();
    }
    let mut clean = String::with_capacity(text.len());
    for c in text.trim_end().chars() {
        match c {
            '\t'..='\r' | '\u{85}' | '\u{2028}' | '\u{2029}' => {
                if !clean.ends_with(' ') {
                    clean.push(' ');
                }
            }
            c if is_shown(c) => clean.push(c),
            _ => clean.push(char::REPLACEMENT_CHARACTER),
        }
    }
    clean.into()
}

/// Returns JSON with every character that is not shown escaped (RFC 8259, section 7). The value is the same.
#[must_use]
pub(crate) fn escape_json(json: String) -> String {
    if json.chars().all(is_shown) {
        return json;
    }
    let mut escaped = String::with_capacity(json.len());
    for c in json.chars() {
        if is_shown(c) {
            escaped.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            // Writing to a String does not fail.
            let _written = write!(escaped, "\\u{unit:04x}");
        }
    }
    escaped
}

fn cut(text: &str, limit: usize) -> Cow<'_, str> {
    match text.char_indices().nth(limit) {
        None => text.into(),
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a server may send, and what is shown of it.
    const HOSTILE: [(&str, &str); 10] = [
        ("\u{1b}[31mred\u{7}", "\u{fffd}[31mred\u{fffd}"),
        ("C1 \u{9b}2J", "C1 \u{fffd}2J"),
        ("no\nhint: run evil", "no hint: run evil"),
        ("no\r\n\r\nerror: x\t\n", "no error: x"),
        ("no\u{2028}x\u{2029}y\u{85}z", "no x y z"),
        ("\u{202e}txt.exe\u{2066}", "\u{fffd}txt.exe\u{fffd}"),
        (
            "a\u{200b}b\u{200d}c\u{feff}\u{ad}",
            "a\u{fffd}b\u{fffd}c\u{fffd}\u{fffd}",
        ),
        ("tag\u{e0041}", "tag\u{fffd}"),
        ("back\u{8}\u{7f}", "back\u{fffd}\u{fffd}"),
        ("naïve 日本 e\u{301} 🔑", "naïve 日本 e\u{301} 🔑"),
    ];

    #[test]
    fn what_a_terminal_obeys_or_hides_and_what_forges_lines_is_taken_out() {
        for (text, shown) in HOSTILE {
            assert_eq!(Line::from(text), shown, "{text:?}");
            let json = serde_json::to_string(text).unwrap();
            assert_eq!(
                serde_json::from_str::<Line>(&json).unwrap(),
                shown,
                "{text:?}"
            );
        }
    }

    #[test]
    fn text_of_several_lines_keeps_its_lines_and_loses_the_rest() {
        assert_eq!(printable("a\n\tb\u{1b}c\r\n"), "a\n\tb\u{fffd}c\u{fffd}\n");
        assert!(matches!(printable("a\nb"), Cow::Borrowed(_)));
    }

    #[test]
    fn json_keeps_its_value_and_shows_no_character_that_hides() {
        for (text, _) in HOSTILE {
            let json = escape_json(serde_json::to_string(text).unwrap());
            assert!(json.chars().all(is_shown), "{json:?}");
            assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
        }
    }

    #[test]
    fn a_text_is_kept_up_to_the_limit_and_one_more_character_is_cut() {
        let longest = "ä".repeat(MAX_CHARS);
        assert_eq!(Line::from(longest.as_str()), longest);
        assert_eq!(Line::from(format!("{longest}!")), format!("{longest}…"));
        assert_eq!(Line::from("four").shortened(4), "four");
        assert_eq!(Line::from("four!").shortened(4), "four…");
    }
}
