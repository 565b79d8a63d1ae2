use std::path::{Path, PathBuf};

use clap::builder::{OsStringValueParser, TypedValueParser};

use crate::failure::{Failure, file_failure};
use crate::host::paths::{self, PathsError};

/// Returns the parser of paths on the command line. It rejects control characters: terminals show these paths, and some are
/// written to configs, where a line break would start another line.
pub(super) fn parser() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().try_map(|text| {
        let path = PathBuf::from(text);
        paths::without_control_characters(&path)?;
        Ok::<_, PathsError>(path)
    })
}

/// Returns the absolute form of a path. It may be written to a config, so neither the path nor the folder that it is
/// relative to may hold a control character.
pub(super) fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    let path =
        std::path::absolute(path).map_err(|error| file_failure("use the path", path, &error))?;
    paths::without_control_characters(&path)?;
    Ok(path)
}
