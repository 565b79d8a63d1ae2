//! The units that have systemd start the agent when somebody knocks (`systemd.socket(5)`, `systemd.service(5)`).

use std::path::Path;

use super::client::ask_socket;

/// The name of the socket unit.
pub const SOCKET_UNIT: &str = "entra-ssh-agent.socket";
/// The name of the service unit.
pub const SERVICE_UNIT: &str = "entra-ssh-agent.service";

/// Returns the socket unit of an agent whose socket lies at `socket`.
#[must_use]
pub fn socket_unit(socket: &Path) -> String {
    format!(
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
        specifier_free(socket),
        specifier_free(&ask_socket(socket))
    )
}

/// Returns the service unit of an agent that `program` is.
#[must_use]
pub fn service_unit(program: &Path, socket: &Path, idle_seconds: u32) -> String {
    format!(
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
        word(program),
        word(socket)
    )
}

/// Writes a path where `%` begins a specifier.
fn specifier_free(path: &Path) -> String {
    path.display().to_string().replace('%', "%%")
}

/// Writes a path as one word of a command line, where `$` begins a variable, too.
fn word(path: &Path) -> String {
    let text = specifier_free(path)
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('$', "$$");
    format!("\"{text}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_that_mean_something_to_systemd_come_through() {
        let program = Path::new("/opt/a b/100%/$x\"y\\z");
        let socket = Path::new("/run/user/1000/entra-ssh/agent.sock");
        let unit = service_unit(program, socket, 60);
        let expected = "ExecStart=\"/opt/a b/100%%/$$x\\\"y\\\\z\" agent run --idle 60 --agent-socket \
            \"/run/user/1000/entra-ssh/agent.sock\"\n";
        assert!(unit.contains(expected), "{unit}");
    }

    #[test]
    fn ssh_has_the_first_socket() {
        let unit = socket_unit(Path::new("/run/50%/agent.sock"));
        let sockets: Vec<_> = unit
            .lines()
            .filter_map(|line| line.strip_prefix("ListenStream="))
            .collect();
        assert_eq!(
            sockets,
            ["/run/50%%/agent.sock", "/run/50%%/agent.sock.ask"]
        );
    }
}
