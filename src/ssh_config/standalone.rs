use std::path::PathBuf;

use super::writer::{UnwritableError, Value};

/// Returns the text of a config for one connection (`ssh -F`): options for one host, then the configs that ssh would have read
/// without it.
///
/// OpenSSH refuses some login names on its command line (`o'brien@contoso.com`) and takes them from a config.
///
/// # Errors
/// [`UnwritableError`] if the host or a path cannot be expressed.
pub(crate) fn standalone(
    host: &str,
    options: &[(&'static str, Value)],
    includes: &[PathBuf],
) -> Result<String, UnwritableError> {
    let host = Value::word(host)?;
    let lines = options
        .iter()
        .map(|(keyword, value)| format!("    {keyword} {value}\n"));
    let options = lines.collect::<Vec<_>>().concat();
    let includes = includes.iter().map(|path| {
        let path = Value::include(path)?;
        Ok(format!("    Include {path}\n"))
    });
    let includes = includes.collect::<Result<String, UnwritableError>>()?;
    Ok(format!(
        "# Written by entra-ssh for connections to one machine.\nHost {host}\n{options}Match all\n{includes}"
    ))
}
