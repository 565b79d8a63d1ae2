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
                None => "outgoing HTTPS to *.servicebus.windows.net must be allowed",
            },
            RelayError::Unreachable { .. } | RelayError::TimedOut { .. } => {
                "outgoing HTTPS to *.servicebus.windows.net must be allowed"
            }
            RelayError::NotARelay { .. } => "a proxy on the way may not pass WebSockets on",
            RelayError::Closed { code: 1008, .. } => "connect again: new credentials are fetched",
            RelayError::Closed { code: 1009, .. } => {
                "update the Azure agent of the machine: what listens there must read messages of 32 KiB"
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
        RefusalReason::Busy => "the relay or the machine is busy: connect again in a moment",
        RefusalReason::Denied => {
            "connect again; if it stays so, check this machine's clock and the firewall of the relay"
        }
        RefusalReason::NoEndpoint => {
            "the machine does not listen yet: after the first set-up it takes up to 90 s; then, on the machine: sudo systemctl restart himds"
        }
        RefusalReason::NoListener => {
            "the machine or its Azure agent is down; on the machine: sudo systemctl restart himds"
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
            "sshd does not run on the machine or listens on another port; on the machine: sudo systemctl start ssh"
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
