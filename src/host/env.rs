//! The environment variables, read once at the start.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fmt;

use zeroize::Zeroize as _;

/// A copy of the environment variables.
///
/// Values may be secrets (`ENTRA_SSH_CLIENT_SECRET`), so `Debug` prints only how many there are, and they are zeroed when it is
/// dropped.
#[derive(Clone, Default, Eq, PartialEq)]
pub struct Env(HashMap<OsString, OsString>);

impl Env {
    /// Reads the variables of this process.
    #[must_use]
    pub fn of_this_process() -> Self {
        Self(std::env::vars_os().collect())
    }

    /// Returns the variables of these names that are set, not empty and text.
    #[must_use]
    pub fn only(&self, names: &[&str]) -> Self {
        let kept = names
            .iter()
            .filter_map(|name| Some((*name, self.var(name)?)));
        kept.collect()
    }

    /// Returns the variable's value, unless it is not set or empty.
    #[must_use]
    pub fn var_os(&self, name: &str) -> Option<&OsStr> {
        self.0
            .get(OsStr::new(name))
            .map(OsString::as_os_str)
            .filter(|value| !value.is_empty())
    }

    /// Returns the variable's value, unless it is not set, empty or not UTF-8.
    #[must_use]
    pub fn var(&self, name: &str) -> Option<&str> {
        self.var_os(name).and_then(OsStr::to_str)
    }
}

impl Drop for Env {
    fn drop(&mut self) {
        for value in self.0.values_mut() {
            std::mem::take(value).into_encoded_bytes().zeroize();
        }
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Env {
    fn from(pairs: [(&str, &str); N]) -> Self {
        pairs.into_iter().collect()
    }
}

impl<'a> FromIterator<(&'a str, &'a str)> for Env {
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a str)>>(pairs: I) -> Self {
        let pairs = pairs.into_iter();
        Self(
            pairs
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
        )
    }
}

impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Env({} variables)", self.0.len())
    }
}
