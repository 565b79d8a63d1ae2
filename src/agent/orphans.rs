//! Agents that cannot be reached any more, since the folder of their sockets is gone. They exit when they notice;
//! one that is stopped or hangs does not.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::host::process::{self, OwnProcess};

/// Ends the agents of this user at these sockets whose folder is gone, and returns their process IDs.
#[must_use]
pub(crate) fn end(sockets: &[PathBuf]) -> Vec<u32> {
    let mut ended = Vec::new();
    for agent in process::of_this_user() {
        let is_orphan = socket(&agent)
            .is_some_and(|socket| sockets.contains(&socket) && is_unreachable(&socket));
        if is_orphan && process::kill(agent.id).is_ok() {
            ended.push(agent.id);
        }
    }
    ended
}

/// Returns the socket of an agent, as its command line names it; `None` for other processes.
fn socket(process: &OwnProcess) -> Option<PathBuf> {
    let [_, agent, run, options @ ..] = process.arguments.as_slice() else {
        return None;
    };
    if agent != "agent" || run != "run" {
        return None;
    }
    let named = options.iter().skip_while(|word| *word != "--agent-socket");
    named.map(OsString::from).nth(1).map(PathBuf::from)
}

/// A program that starts an agent makes the folder first, so that one that has just been started is no orphan.
fn is_unreachable(socket: &Path) -> bool {
    let folder = socket.parent();
    folder.is_some_and(|folder| folder.is_absolute() && !folder.exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_is_known_by_its_command_line() {
        let socket_of = |line: &str| {
            let arguments = line.split(' ').map(OsString::from).collect();
            socket(&OwnProcess { id: 1, arguments })
        };
        assert_eq!(
            socket_of("/opt/entra-ssh agent run --detached --agent-socket /gone/agent.sock"),
            Some(PathBuf::from("/gone/agent.sock"))
        );
        for line in [
            "entra-ssh agent run",
            "entra-ssh agent run --agent-socket",
            "entra-ssh proxy --agent-socket /gone/agent.sock",
            "sh",
        ] {
            assert_eq!(socket_of(line), None, "{line}");
        }
        assert!(is_unreachable(Path::new("/nowhere/at/all/agent.sock")));
        assert!(!is_unreachable(Path::new("/tmp/agent.sock")));
        assert!(!is_unreachable(Path::new("agent.sock")));
    }
}
