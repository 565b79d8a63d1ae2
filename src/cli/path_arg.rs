use std::path::PathBuf;

use clap::builder::{OsStringValueParser, TypedValueParser};

use crate::host::paths::{self, PathsError};

/// Returns the parser of paths on the command line. None holds a control character: what is named here is told at terminals, and
/// some of it is written into configs, where the end of a line begins another line.
pub(super) fn parser() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().try_map(|text| {
        let path = PathBuf::from(text);
        paths::without_control_characters(&path)?;
        Ok::<_, PathsError>(path)
    })
}
