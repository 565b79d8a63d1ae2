//! What to do about the local system: paths, sockets, files and TLS settings.

use super::Failure;
use super::network;
use crate::host::http::HttpError;
#[cfg(unix)]
use crate::host::own_socket::SocketError;
use crate::host::paths::PathsError;
use crate::host::tls::TlsError;
use crate::line::Line;

/// Returns a failure to use a file.
#[must_use]
pub(crate) fn file_failure(what: &str, path: &std::path::Path, error: &std::io::Error) -> Failure {
    Failure::new(format!("cannot {what} `{}`", path.display())).caused_by(error)
}

impl From<PathsError> for Failure {
    fn from(error: PathsError) -> Self {
        let hint = match &error {
            PathsError::ControlCharacter { .. } => {
                "rename the folder, or name another one".to_owned()
            }
            PathsError::ForeignHome { owner, .. } => format!(
                "run entra-ssh as {owner}, without sudo; or with the home folder of the user that sudo changes to: sudo -H entra-ssh"
            ),
            _ => "set HOME to your home folder".to_owned(),
        };
        Self::of(&error).hint(hint)
    }
}

/// What to do about an unusable folder of sockets and locks.
pub(super) const PLACE_HINT: &str = "set XDG_RUNTIME_DIR to a folder that is yours and that only you can write to: \
    install -d -m 700 /tmp/run-$(id -u); export XDG_RUNTIME_DIR=/tmp/run-$(id -u)";

/// Returns a failure to create or use the folder of sockets or locks.
#[must_use]
pub(crate) fn place_failure(what: impl Into<Line>, error: &std::io::Error) -> Failure {
    let failure = Failure::new(what).caused_by(error);
    match error.kind() {
        std::io::ErrorKind::TimedOut => failure,
        _ => failure.hint(PLACE_HINT),
    }
}

#[cfg(unix)]
impl From<SocketError> for Failure {
    fn from(error: SocketError) -> Self {
        let hint = match &error {
            SocketError::Connect { .. } => {
                "use another socket: entra-ssh --agent-socket FILE".to_owned()
            }
            SocketError::ForeignFolder { owner, user: 0, .. } => format!(
                "run entra-ssh without sudo, or as the agent's user: sudo -u '#{owner}' entra-ssh"
            ),
            SocketError::SharedFolder { folder } => {
                format!("remove their write access: chmod go-w {}", folder.display())
            }
            SocketError::TooLong { .. } => {
                "name a shorter path: entra-ssh --agent-socket FILE, or set XDG_RUNTIME_DIR to a shorter one".to_owned()
            }
            _ => PLACE_HINT.to_owned(),
        };
        Self::of(&error).hint(hint)
    }
}

impl From<TlsError> for Failure {
    fn from(error: TlsError) -> Self {
        let hint = network::tls_settings_hint(&error);
        Self::of(&error).hint(hint)
    }
}

impl From<HttpError> for Failure {
    fn from(error: HttpError) -> Self {
        if let Some(failure) = network::throttled_failure(&error) {
            return failure;
        }
        let mut failure = Self::of(&error);
        failure.hint = network::hint(&error);
        failure
    }
}
