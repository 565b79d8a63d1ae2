//! Faults that can be asked for, from Rust or as JSON through the control service.
//!
//! ```text
//! {"where":"token","times":2,"aadsts":50076,"error":"interaction_required","description":"…"}
//! {"where":"token","aadsts":53003}
//! {"where":"certificate","variation":"expired"}
//! {"where":"gateway","path":"/token","status":503,"times":2}
//! {"where":"clock","offset_seconds":-900}
//! {"where":"relay-close","after_bytes":4096,"code":1011,"reason":"…"}
//! {"where":"step-up","upn":"ada@contoso.example"}
//! ```

mod constructors;
mod queue;

use serde::{Deserialize, Serialize};

pub(crate) use self::queue::Faults;

/// Something that goes wrong.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(tag = "where", rename_all = "kebab-case")]
pub enum Fault {
    /// ARM refuses requests whose path contains `path`, in any case of letters.
    Arm {
        /// The part of a path that is looked for; empty means every path.
        #[serde(default)]
        path: String,
        /// The only method that is refused, for example `PUT`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        method: Option<String>,
        /// The HTTP status.
        status: u16,
        /// ARM's error code, for example `AuthorizationFailed`.
        code: String,
        /// ARM's error message.
        message: String,
        /// Value of a `Retry-After` header, in seconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after: Option<u64>,
    },
    /// The sign-in page sends the browser back with a refusal, whoever is chosen on it.
    Authorize {
        /// The number after `AADSTS`.
        aadsts: u32,
        /// The OAuth error; empty for the one that Entra sends with the code.
        #[serde(default)]
        error: String,
        /// The text after `AADSTS…: `; empty for the one that Entra sends with the code.
        #[serde(default)]
        description: String,
        /// Whether it is told on the page, and the browser sent nowhere.
        #[serde(default)]
        on_page: bool,
    },
    /// A network that wants its terms accepted answers instead of Entra or ARM: 200, and HTML.
    CaptivePortal {
        /// The part of a path that is looked for; empty means every path.
        #[serde(default)]
        path: String,
    },
    /// The next SSH certificate is not as it should be.
    Certificate {
        /// In which way.
        #[serde(default)]
        variation: Variation,
        /// How long the certificate lasts, instead of what the options say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lifetime_seconds: Option<u64>,
    },
    /// ARM takes no token that was not asked for with these claims, as it does after continuous access evaluation: 401 with
    /// `error="insufficient_claims"`. It stands until faults are cleared, whatever `times` says.
    ClaimsChallenge {
        /// The claims, in JSON.
        claims: String,
    },
    /// The clock of Entra and ARM is off, as the `Date` of their replies says. It stands until
    /// faults are cleared, whatever `times` says.
    Clock {
        /// Seconds; positive where that clock is ahead of this machine's.
        offset_seconds: i64,
        /// Whether certificates are dated by that clock, too.
        #[serde(default)]
        certificates: bool,
    },
    /// A gateway answers instead of Entra or ARM: with this status, and HTML.
    Gateway {
        /// The part of a path that is looked for; empty means every path.
        #[serde(default)]
        path: String,
        /// The HTTP status, for example 503.
        status: u16,
        /// Value of a `Retry-After` header, in seconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after: Option<u64>,
    },
    /// Entra closes every connection without an answer.
    Outage,
    /// A reply of Entra or ARM is JSON, and longer than anybody needs.
    Oversized {
        /// The part of a path that is looked for; empty means every path.
        #[serde(default)]
        path: String,
        /// The length of the only text in it.
        #[serde(default = "two_mebibytes")]
        bytes: usize,
    },
    /// The relay credentials that ARM lists name another Relay.
    RelayAddress {
        /// Its host, with a dot in it, and its port: `relay.invalid:443`.
        host: String,
    },
    /// The Relay closes a connection after it carried this many bytes, both ways together.
    RelayClose {
        /// Bytes of payload.
        #[serde(default)]
        after_bytes: u64,
        /// The WebSocket close code.
        code: u16,
        /// The WebSocket close reason.
        #[serde(default)]
        reason: String,
    },
    /// The Relay takes its time before it answers a `connect`.
    RelayDelay {
        /// Milliseconds.
        milliseconds: u64,
    },
    /// The Relay answers a `connect` with something that is not HTTP.
    RelayGarbage,
    /// The Relay takes a connection and then says nothing, not even in TLS.
    RelayMute,
    /// The Relay refuses a `connect`.
    RelayRefuse {
        /// The HTTP status.
        status: u16,
        /// The status text, also sent as the body.
        text: String,
    },
    /// The Relay resets the TCP connection of a `connect`.
    RelayReset,
    /// The Relay stops moving bytes, and keeps the connection open.
    RelayStall {
        /// Bytes of payload, both ways together; without it the upgrade is never answered.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after_bytes: Option<u64>,
    },
    /// The Relay upgrades a `connect` with a `Sec-WebSocket-Accept` for another key.
    RelayWrongAccept,
    /// Conditional Access asks people for more before it certifies a key of theirs: certificates are
    /// refused with AADSTS50076 and a claims challenge, but for refresh tokens of a sign-in to the
    /// SSH scope with these claims. It stands until faults are cleared, whatever `times` says.
    StepUp {
        /// The only person it is asked of.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        upn: Option<String>,
        /// Whether a sign-in can ever satisfy it.
        #[serde(default = "yes")]
        satisfiable: bool,
        /// The OAuth error of the refusal: `interaction_required`, or `invalid_grant`, as Entra's
        /// newer replies have it.
        #[serde(default = "interaction_required")]
        error: String,
    },
    /// The token endpoint refuses.
    Token {
        /// The number after `AADSTS`.
        aadsts: u32,
        /// The OAuth error, for example `invalid_grant`; empty for what Entra sends with the code:
        /// error, and whatever else is not given.
        #[serde(default)]
        error: String,
        /// The text after `AADSTS…: `.
        #[serde(default)]
        description: String,
        /// A claims challenge, as JSON text.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        claims: Option<String>,
        /// For example `basic_action`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        suberror: Option<String>,
        /// The HTTP status.
        #[serde(default = "bad_request")]
        status: u16,
        /// Value of a `Retry-After` header, in seconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after: Option<u64>,
        /// The only `grant_type` that is refused.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        grant_type: Option<String>,
        /// The only token that is refused: `ssh-cert` or `bearer`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token_type: Option<String>,
    },
}

/// How a certificate differs from the one that was asked for.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Variation {
    /// A bearer token comes instead of a certificate.
    Bearer,
    /// It has critical options, one of which sshd does not know, and does not end.
    Constrained,
    /// It ended an hour ago.
    Expired,
    /// It is a host certificate.
    Host,
    /// It lists no principals.
    NoPrincipals,
    /// It differs in nothing, except perhaps its lifetime.
    #[default]
    None,
    /// It begins in an hour.
    NotYetValid,
    /// OpenSSH accepts it, and none of Entra's has been seen to look like it: a serial number, a
    /// signature with SHA-512, names as the directory spells them, extensions out of order that
    /// permit a terminal and nothing else.
    Odd,
    /// It is for a key that is not the client's.
    WrongKey,
    /// It is of another tenant than the one that was asked.
    WrongTenant,
}

/// A fault, and how often it happens.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Injection {
    /// How often; 0 means until faults are cleared.
    #[serde(default = "once")]
    pub times: u32,
    /// What.
    #[serde(flatten)]
    pub fault: Fault,
}

impl From<Fault> for Injection {
    fn from(fault: Fault) -> Self {
        fault.times(once())
    }
}

fn once() -> u32 {
    1
}

fn interaction_required() -> String {
    "interaction_required".to_owned()
}

fn two_mebibytes() -> usize {
    2 * 1024 * 1024
}

fn yes() -> bool {
    true
}

fn bad_request() -> u16 {
    400
}

#[cfg(test)]
mod tests {
    use super::{Fault, Faults, Injection, Variation};

    #[test]
    fn times_defaults_to_once_and_zero_means_for_ever() {
        let faults = Faults::default();
        faults.add(serde_json::from_str(r#"{"where":"outage"}"#).unwrap());
        assert!(faults.take(|_| true).is_some());
        assert!(faults.take(|_| true).is_none());
        faults.add(Fault::RelayReset.times(0));
        for _ in 0..3 {
            assert!(faults.take(|_| true).is_some());
        }
    }

    #[test]
    fn certificate_faults_are_read_from_json() {
        let read: Injection =
            serde_json::from_str(r#"{"where":"certificate","variation":"wrong-key","times":2}"#)
                .unwrap();
        assert_eq!(read, Fault::certificate(Variation::WrongKey).times(2));
    }

    #[test]
    fn constructors_say_what_the_shortest_json_says() {
        let read = |text| serde_json::from_str::<Injection>(text).unwrap();
        assert_eq!(
            read(r#"{"where":"token","aadsts":1,"error":"e","description":"d"}"#),
            Fault::token(1, "e", "d").into()
        );
        assert_eq!(
            read(r#"{"where":"arm","path":"p","status":403,"code":"c","message":"m"}"#),
            Fault::arm("p", 403, "c", "m").into()
        );
        assert_eq!(read(r#"{"where":"step-up"}"#), Fault::step_up().into());
        let worded = read(r#"{"where":"token","aadsts":53003}"#);
        assert_eq!(worded, Fault::aadsts(53_003).into());
    }
}
