//! What the examples share. Each of them is a program of its own: `demo`, `sandbox` and `bench`.

use std::io::{self, Write as _};

/// Writes a line to standard output. A reader that has gone is not an error.
pub fn say(line: &str) {
    let _written = writeln!(io::stdout(), "{line}");
}

/// Writes an error to standard error, in the form of `entra-ssh`'s own.
pub fn fail(error: &str) {
    let _written = writeln!(io::stderr(), "error: {error}");
}
