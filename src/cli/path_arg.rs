use std::path::{Path, PathBuf};

use clap::builder::{OsStringValueParser, TypedValueParser};

use crate::failure::{Failure, file_failure};
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

/// Returns a path that means the same in any folder. It may become a part of a config, so that it holds no control character,
/// and nor does the folder that it is relative to.
pub(super) fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    let path =
        std::path::absolute(path).map_err(|error| file_failure("use the path", path, &error))?;
    paths::without_control_characters(&path)?;
    Ok(path)
}
