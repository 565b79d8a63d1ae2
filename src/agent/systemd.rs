//! The units that have systemd start the agent on the first connection (`systemd.socket(5)`, `systemd.service(5)`).

use std::path::{Path, PathBuf};

use super::places::ask_socket;

/// The name of the socket unit.
pub(crate) const SOCKET_UNIT: &str = "entra-ssh-agent.socket";
/// The name of the service unit.
pub(crate) const SERVICE_UNIT: &str = "entra-ssh-agent.service";

/// Returns the socket unit of an agent whose socket lies at `socket`.
///
/// # Errors
/// [`UnwritableUnitError`] if a unit cannot express this path.
pub(crate) fn socket_unit(socket: &Path) -> Result<String, UnwritableUnitError> {
    Ok(format!(
        "[Unit]\n\
         Description=Sockets of the entra-ssh agent\n\
         \n\
         [Socket]\n\
         # The order counts: the first one is for ssh, the second one for entra-ssh itself.\n\
         ListenStream={}\n\
         ListenStream={}\n\
         SocketMode=0600\n\
         DirectoryMode=0700\n\
         RemoveOnStop=yes\n\
         \n\
         [Install]\n\
         WantedBy=sockets.target\n",
        listening_path(socket)?,
        listening_path(&ask_socket(socket))?
    ))
}

/// Returns the service unit of an agent that `program` is.
///
/// # Errors
/// [`UnwritableUnitError`] if a unit cannot express one of the paths.
pub(crate) fn service_unit(
    program: &Path,
    socket: &Path,
    idle_seconds: u32,
) -> Result<String, UnwritableUnitError> {
    Ok(format!(
        "[Unit]\n\
         Description=entra-ssh agent: SSH certificates from Entra ID\n\
         Requires={SOCKET_UNIT}\n\
         \n\
         [Service]\n\
         ExecStart={} agent run --idle {idle_seconds} --agent-socket {}\n\
         # Keys are to be in memory and nowhere else.\n\
         LimitCORE=0\n\
         MemorySwapMax=0\n\
         NoNewPrivileges=yes\n\
         LockPersonality=yes\n\
         RestrictSUIDSGID=yes\n\
         SystemCallArchitectures=native\n\
         UMask=0077\n",
        quoted(&text(program)?),
        quoted(&text(socket)?.replace('$', "$$"))
    ))
}

/// Writes the path of a socket: the rest of a line, of which blanks at the end are cut, and which a backslash at the end makes go
/// on in the next one. Only `%` is written in another form, since it begins a specifier.
fn listening_path(path: &Path) -> Result<String, UnwritableUnitError> {
    let text = text(path)?;
    if text.ends_with([' ', '\\']) {
        return Err(refusal(path, "ends with a space or a backslash"));
    }
    Ok(text)
}

/// Writes one word of a command line between quotes. A `$` is doubled in arguments by the caller: systemd expands variables
/// there, and not in the path of the program.
fn quoted(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{text}\"")
}

/// Returns a path as text in which `%` begins a specifier.
fn text(path: &Path) -> Result<String, UnwritableUnitError> {
    let text = path
        .to_str()
        .ok_or_else(|| refusal(path, "is not valid UTF-8"))?;
    if text.chars().any(char::is_control) {
        return Err(refusal(path, "contains a control character"));
    }
    if path.is_relative() {
        return Err(refusal(path, "is not absolute"));
    }
    Ok(text.replace('%', "%%"))
}

fn refusal(path: &Path, reason: &'static str) -> UnwritableUnitError {
    UnwritableUnitError {
        path: path.to_path_buf(),
        reason,
    }
}

/// Why a path cannot be written into a unit.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the path `{}` {reason}, which a systemd unit cannot express", .path.display().to_string().escape_debug())]
pub(crate) struct UnwritableUnitError {
    /// The path.
    pub path: PathBuf,
    /// What is wrong with it: "is not absolute".
    pub reason: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_that_mean_something_to_systemd_come_through() {
        let program = Path::new("/opt/a b/100%/$x\"y\\z");
        let socket = Path::new("/run/$USER/entra-ssh/agent.sock");
        let unit = service_unit(program, socket, 60).unwrap();
        let expected = "ExecStart=\"/opt/a b/100%%/$x\\\"y\\\\z\" agent run --idle 60 --agent-socket \
            \"/run/$$USER/entra-ssh/agent.sock\"\n";
        assert!(unit.contains(expected), "{unit}");
    }

    #[test]
    fn ssh_has_the_first_socket() {
        let unit = socket_unit(Path::new("/run/50%/agent.sock")).unwrap();
        let sockets: Vec<_> = unit
            .lines()
            .filter_map(|line| line.strip_prefix("ListenStream="))
            .collect();
        assert_eq!(
            sockets,
            ["/run/50%%/agent.sock", "/run/50%%/agent.sock.ask"]
        );
    }

    #[test]
    fn reject_what_would_be_other_lines_or_another_path() {
        let socket = Path::new("/run/agent.sock");
        for bad in ["/opt/x\nExecStartPre=/bin/true", "/opt/\u{1b}[2J", "opt/x"] {
            let bad = Path::new(bad);
            for refusal in [
                socket_unit(bad).unwrap_err(),
                service_unit(bad, socket, 60).unwrap_err(),
                service_unit(socket, bad, 60).unwrap_err(),
            ] {
                assert_eq!(refusal.path, bad);
                assert!(!refusal.to_string().contains(char::is_control));
            }
        }
        // The other socket ends in letters.
        for bad in ["/run/agent.sock\\", "/run/agent.sock "] {
            assert!(socket_unit(Path::new(bad)).is_err(), "{bad}");
        }
    }
}
