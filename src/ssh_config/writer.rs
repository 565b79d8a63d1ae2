//! The one writer of values for an ssh config: what it cannot express is refused, so that no value becomes another one, or a
//! line.
//!
//! Each position of a config has a grammar of its own (`ssh_config(5)`, `argv_split` and `strdelim` in OpenSSH's `misc.c`):
//!
//! ```text
//! word          HostKeyAlias "a b#c"         quotes; `\"` and `\\` within them
//! login name    User "o'brien@x"             a word; from OpenSSH 10.0 on, `%` and `${` mean something in it
//! path          IdentityFile "/a b/50%%"     a word in which `%` begins a token and `${` a variable
//! command       ProxyCommand /a\ b/50%%      the shell's, after ssh has expanded `%`; quotes must be balanced for ssh, too
//! exec          Match … exec "/a' b'"        the shell's, within quotes of ssh's in which OpenSSH 9 and 10 disagree on `\`
//! ```

use std::fmt;
use std::path::Path;

/// How `'` and `"` are written in a command between quotes of ssh's, where they cannot stand: each as what `printf` prints.
const QUOTE_BY_PRINTF: &str = "$(printf '\\047')";
const DOUBLE_QUOTE_BY_PRINTF: &str = "$(printf '\\042')";

/// A value in the form in which it stands in an ssh config.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Value(String);

/// Why a value cannot be written.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum UnwritableError {
    /// It holds a control character, such as the end of a line.
    #[error("`{text}` contains the control character {sign}")]
    ControlCharacter {
        /// The value, with its control characters escaped.
        text: String,
        /// The first of them, escaped.
        sign: String,
    },
    /// It holds a sign that means something in this position and that nothing takes its meaning from.
    #[error("`{text}` contains `{sign}`, which ssh would not take literally here")]
    Inexpressible {
        /// The value.
        text: String,
        /// The sign.
        sign: &'static str,
    },
    /// A port is 0.
    #[error("`0` is not a port")]
    NoPort,
    /// It is not UTF-8.
    #[error("`{text}` is not valid UTF-8")]
    NotUnicode {
        /// The value, as far as it can be shown.
        text: String,
    },
    /// A path is relative to a folder that ssh does not know.
    #[error("`{text}` is not an absolute path")]
    Relative {
        /// The path.
        text: String,
    },
}

impl Value {
    /// Writes one of the words that ssh itself defines, such as `yes` or `none`.
    #[must_use]
    pub(crate) fn literal(word: &'static str) -> Self {
        Self(word.to_owned())
    }

    /// Writes the number of a port.
    ///
    /// # Errors
    /// [`UnwritableError::NoPort`] for 0, for which ssh would refuse the whole config.
    pub(crate) fn port(number: u16) -> Result<Self, UnwritableError> {
        match number {
            0 => Err(UnwritableError::NoPort),
            _ => Ok(Self(number.to_string())),
        }
    }

    /// Writes a value in which `%` and `$` mean nothing.
    ///
    /// # Errors
    /// [`UnwritableError::ControlCharacter`].
    pub(crate) fn word(text: &str) -> Result<Self, UnwritableError> {
        without_control_characters(text).map(|text| Self(quoted(text)))
    }

    /// Writes a value of which OpenSSH releases disagree whether `%` and `${` mean something in it.
    ///
    /// # Errors
    /// [`UnwritableError::ControlCharacter`]; [`UnwritableError::Inexpressible`] if it contains one of the two.
    pub(crate) fn login_name(text: &str) -> Result<Self, UnwritableError> {
        without(without_control_characters(text)?, &["%", "${"]).map(|text| Self(quoted(text)))
    }

    /// Writes the absolute path of a file.
    ///
    /// # Errors
    /// [`UnwritableError`]; [`UnwritableError::Inexpressible`] if it contains `${`.
    pub(crate) fn path(path: &Path) -> Result<Self, UnwritableError> {
        let text = without(path_text(path)?, &["${"])?;
        Ok(Self(quoted(&text.replace('%', "%%"))))
    }

    /// Writes an absolute path in which `*`, `?` and `[` would be patterns: the argument of `Include`, of which OpenSSH releases
    /// disagree whether `%` and `${` mean something in it. It is quoted only if it has to be, since the completions of shells
    /// do not read quotes.
    ///
    /// # Errors
    /// [`UnwritableError`]; [`UnwritableError::Inexpressible`] if it contains `%` or `${`.
    pub(crate) fn include(path: &Path) -> Result<Self, UnwritableError> {
        let text = without(path_text(path)?, &["%", "${"])?;
        let mut pattern = String::new();
        for sign in text.chars() {
            if "*?[\\".contains(sign) {
                pattern.push('\\');
            }
            pattern.push(sign);
        }
        Ok(Self(quoted(&pattern)))
    }

    /// Returns the value as it stands in the config, or behind `-o KEYWORD=`.
    #[must_use]
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A command that ssh gives to the user's shell.
#[derive(Clone, Debug)]
pub(crate) struct Command {
    words: Vec<Word>,
}

#[derive(Clone, Debug)]
enum Word {
    Text(String),
    /// What ssh expands: `%p`.
    Token(&'static str),
}

impl Command {
    /// Returns the command that runs a program.
    ///
    /// # Errors
    /// [`UnwritableError`].
    pub(crate) fn new(program: &Path) -> Result<Self, UnwritableError> {
        Self { words: Vec::new() }.path(program)
    }

    /// Adds a word.
    ///
    /// # Errors
    /// [`UnwritableError::ControlCharacter`].
    pub(crate) fn word(mut self, text: &str) -> Result<Self, UnwritableError> {
        let text = without_control_characters(text)?;
        self.words.push(Word::Text(text.to_owned()));
        Ok(self)
    }

    /// Adds words of our own that need no quotes.
    #[must_use]
    pub(crate) fn literals(mut self, words: &[&'static str]) -> Self {
        let words = words.iter().map(|word| Word::Text((*word).to_owned()));
        self.words.extend(words);
        self
    }

    /// Adds an absolute path.
    ///
    /// # Errors
    /// [`UnwritableError`].
    pub(crate) fn path(self, path: &Path) -> Result<Self, UnwritableError> {
        self.word(path_text(path)?)
    }

    /// Adds a token that ssh expands, such as `%p`.
    #[must_use]
    pub(crate) fn token(mut self, token: &'static str) -> Self {
        self.words.push(Word::Token(token));
        self
    }

    /// Returns the value of `ProxyCommand`: the rest of the line.
    #[must_use]
    pub(crate) fn to_proxy_command(&self) -> Value {
        Value(self.join(|text| shell_word(&text.replace('%', "%%"))))
    }

    /// Returns the command between quotes, as it stands behind `Match … exec`.
    ///
    /// # Errors
    /// [`UnwritableError::Inexpressible`] if a word contains a backslash.
    pub(crate) fn to_match_exec(&self) -> Result<Value, UnwritableError> {
        for word in &self.words {
            if let Word::Text(text) = word {
                without(text, &["\\"])?;
            }
        }
        let command = self.join(|text| shell_word_in_quotes(&text.replace('%', "%%")));
        Ok(Value(format!("\"{command}\"")))
    }

    fn join(&self, write: impl Fn(&str) -> String) -> String {
        let words: Vec<String> = self
            .words
            .iter()
            .map(|word| match word {
                Word::Text(text) => write(text),
                Word::Token(token) => (*token).to_owned(),
            })
            .collect();
        words.join(" ")
    }
}

/// Quotes a word of a shell's command line: sign by sign, which all shells read alike, and the quotes of ssh too.
pub(crate) fn shell_word(word: &str) -> String {
    if word.is_empty() {
        return "''".to_owned();
    }
    let mut quoted = String::new();
    for sign in word.chars() {
        if !is_plain_for_shells(sign) {
            quoted.push('\\');
        }
        quoted.push(sign);
    }
    quoted
}

/// Quotes a word of a shell's command line that stands between double quotes, where a backslash is one or none.
fn shell_word_in_quotes(word: &str) -> String {
    let mut written = String::new();
    for part in word.split_inclusive(['\'', '"']) {
        let (text, quote) = match (part.strip_suffix('\''), part.strip_suffix('"')) {
            (Some(text), _) => (text, QUOTE_BY_PRINTF),
            (_, Some(text)) => (text, DOUBLE_QUOTE_BY_PRINTF),
            (None, None) => (part, ""),
        };
        if text.chars().all(is_plain_for_shells) {
            written.push_str(text);
        } else {
            written.push('\'');
            written.push_str(text);
            written.push('\'');
        }
        written.push_str(quote);
    }
    written
}

fn is_plain_for_shells(sign: char) -> bool {
    !sign.is_ascii() || sign.is_ascii_alphanumeric() || "@._-+/:%=,".contains(sign)
}

/// Quotes an argument of `ssh_config(5)` if it has to be.
fn quoted(text: &str) -> String {
    let is_plain = |sign: char| sign.is_alphanumeric() || "@._-+/:%,[]".contains(sign);
    if !text.is_empty() && text.chars().all(is_plain) {
        text.to_owned()
    } else {
        format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
    }
}

fn path_text(path: &Path) -> Result<&str, UnwritableError> {
    let text = path.to_str().ok_or_else(|| UnwritableError::NotUnicode {
        text: path.display().to_string().escape_debug().to_string(),
    })?;
    let text = without_control_characters(text)?;
    if path.is_absolute() {
        Ok(text)
    } else {
        Err(UnwritableError::Relative {
            text: text.to_owned(),
        })
    }
}

fn without_control_characters(text: &str) -> Result<&str, UnwritableError> {
    match text.chars().find(|sign| sign.is_control()) {
        None => Ok(text),
        Some(sign) => Err(UnwritableError::ControlCharacter {
            text: text.escape_debug().to_string(),
            sign: sign.escape_debug().to_string(),
        }),
    }
}

fn without<'a>(text: &'a str, signs: &[&'static str]) -> Result<&'a str, UnwritableError> {
    match signs.iter().find(|sign| text.contains(**sign)) {
        None => Ok(text),
        Some(sign) => Err(UnwritableError::Inexpressible {
            text: text.to_owned(),
            sign,
        }),
    }
}

#[cfg(test)]
mod tests;
