//! What to do about the relay.

use super::network;
use super::{Failure, FailureKind};
use crate::host::tls;
use crate::line::Line;
use crate::relay::{RefusalReason, RelayError};

impl From<RelayError> for Failure {
    fn from(error: RelayError) -> Self {
        let failure = Self::of(&error);
        let hint = match &error {
            RelayError::Refused { reason, .. } => &refusal_hint(*reason),
            RelayError::Proxy(error) => &network::proxy_hint(error, "*.servicebus.windows.net:443"),
            RelayError::Tls { source, .. } => match tls::handshake_error(source) {
                Some(error) => network::tls_hint(error),
                None => "allow outgoing HTTPS to *.servicebus.windows.net",
            },
            RelayError::Unreachable { .. } | RelayError::TimedOut { .. } => {
                "allow outgoing HTTPS to *.servicebus.windows.net"
            }
            RelayError::NotARelay { .. } => "check that the proxy passes WebSockets on",
            RelayError::Closed { code: 1008, .. } => "connect again, which fetches new credentials",
            RelayError::Closed { code: 1009, .. } => {
                "update the machine's Azure agent: it must accept messages of 32 KiB"
            }
            _ => "connect again",
        };
        let kind = match &error {
            RelayError::Closed { .. } | RelayError::Dropped { .. } | RelayError::Silent { .. } => {
                FailureKind::Dropped
            }
            _ => FailureKind::Failed,
        };
        failure.hint(hint).kind(kind)
    }
}

fn refusal_hint(reason: RefusalReason) -> Line {
    match reason {
        RefusalReason::Busy => "connect again in a moment; the relay or the machine is busy",
        RefusalReason::Denied => {
            "connect again; if it stays so, check this machine's clock and the firewall of the relay"
        }
        RefusalReason::NoEndpoint => {
            "wait up to 90 s after the first set-up; then run on the machine: sudo systemctl restart himds"
        }
        RefusalReason::NoListener => {
            "start the machine, or restart its Azure agent there: sudo systemctl restart himds"
        }
        RefusalReason::Other => "connect again",
        RefusalReason::PortNotEnabled { port } => {
            return format!(
                "a machine lets SSH in at one port: take that one with --port, or have its service configuration changed; an \
                 Azure agent older than 1.31 has a list of them, of which the others are to stay, on the machine: sudo azcmagent \
                 config get incomingconnections.ports, then sudo azcmagent config set incomingconnections.ports {port},OTHERS"
            )
            .into();
        }
        RefusalReason::SshServerDown => {
            "check the port of sshd (--port), or start it on the machine: sudo systemctl start ssh"
        }
    }
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_of_the_relay_has_a_hint_of_its_own() {
        for (reason, expected) in [
            (RefusalReason::Busy, "in a moment"),
            (RefusalReason::Denied, "firewall"),
            (RefusalReason::NoEndpoint, "90 s"),
            (RefusalReason::NoListener, "himds"),
            (
                RefusalReason::PortNotEnabled { port: 3389 },
                "incomingconnections.ports 3389,OTHERS",
            ),
            (RefusalReason::SshServerDown, "start ssh"),
        ] {
            let hint = refusal_hint(reason);
            assert!(hint.contains(expected), "{hint}");
        }
    }
}
