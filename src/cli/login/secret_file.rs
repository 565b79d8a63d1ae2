use std::path::Path;

use zeroize::Zeroizing;

use crate::failure::{Failure, file_failure};
use crate::host::files;
use crate::secret::Secret;

/// The longest client secret or password that is read, in bytes.
const MAX_SECRET_BYTES: usize = 4096;

/// Reads a secret text from a file (`-` for standard input).
pub(super) fn read(file: &Path, what: &str) -> Result<Secret, Failure> {
    let read = if file.as_os_str() == "-" {
        files::read_stream_capped(std::io::stdin().lock(), MAX_SECRET_BYTES)
    } else {
        files::read_capped(file, MAX_SECRET_BYTES)
    };
    let bytes = Zeroizing::new(
        read.map_err(|error| file_failure(&format!("read {what} from"), file, &error))?,
    );
    let refused = |problem: &str| {
        Failure::new(format!("`{}` {problem}", file.display()))
            .hint(format!("it must hold {what}'s value and nothing else"))
    };
    let text = files::decode_text(&bytes).ok_or_else(|| refused("holds no text"))?;
    let text = text.trim();
    if text.is_empty() {
        return Err(refused("is empty"));
    }
    Ok(Secret::new(text.to_owned()))
}
