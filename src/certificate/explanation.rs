use std::fmt;

use serde::{Deserialize, Serialize};

use super::parsed::Kind;
use super::{Certificate, PublicKey, Unverified};
use crate::line::Line;
use crate::time::{Spoken, UnixTime};

/// What scripts rely on about a certificate: the `certificate` shape of the JSON output.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct CertificateSummary {
    /// The serial number.
    pub serial: u64,
    /// The key ID: `{oid}@{tid}` in Entra's certificates.
    pub key_id: Line,
    /// The principals.
    pub principals: Vec<Line>,
    /// The first second at which it is valid, RFC 3339.
    pub valid_after: String,
    /// The first second at which it is no longer valid, RFC 3339.
    pub valid_before: String,
    /// The seconds that are left.
    pub remaining_seconds: u64,
    /// The certificate's type: `ssh-rsa-cert-v01@openssh.com`.
    pub key_type: String,
    /// The fingerprint of the certified key.
    pub public_key_fingerprint: String,
    /// The fingerprint of the key that signed it.
    pub ca_fingerprint: String,
    /// The file that it was read from or written to.
    pub file: Option<String>,
    /// What is odd about it, and what that means for logins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Line>,
}

/// The contents of a certificate, trusted or not: what `ssh-keygen -L` prints.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Explanation {
    kind: &'static str,
    key_type: String,
    public_key: (String, String),
    authority: (String, String),
    signature_algorithm: String,
    key_id: Line,
    serial: u64,
    valid_after: UnixTime,
    valid_before: UnixTime,
    principals: Vec<Line>,
    critical_options: Vec<(Line, Line)>,
    extensions: Vec<(Line, Line)>,
}

/// A certificate in JSON: the summary, and the other fields that `ssh-keygen -L` prints.
#[derive(Serialize)]
struct Json<'a> {
    #[serde(flatten)]
    summary: CertificateSummary,
    certificate_type: &'a str,
    ca_key_type: &'a str,
    signature_algorithm: &'a str,
    critical_options: serde_json::Map<String, serde_json::Value>,
    extensions: serde_json::Map<String, serde_json::Value>,
}

impl Certificate {
    /// Returns an explanation of the certificate.
    #[must_use]
    pub fn explain(&self) -> Explanation {
        Explanation::of(&self.unverified)
    }
}

impl Explanation {
    /// Reads the contents of a certificate.
    #[must_use]
    pub fn of(certificate: &Unverified) -> Self {
        let parsed = &certificate.parsed;
        let (valid_after, valid_before) = certificate.validity();
        Self {
            kind: match parsed.kind {
                Kind::User => "user",
                Kind::Host => "host",
            },
            key_type: parsed.key_type.clone(),
            public_key: name_and_fingerprint(&parsed.public_key),
            authority: name_and_fingerprint(&parsed.signature_key),
            signature_algorithm: parsed.signature.algorithm().as_str().to_owned(),
            key_id: parsed.key_id.as_str().into(),
            serial: parsed.serial,
            valid_after,
            valid_before,
            principals: parsed.principals.iter().map(Line::from).collect(),
            critical_options: lines(&parsed.critical_options),
            extensions: lines(&parsed.extensions),
        }
    }

    /// Returns what scripts rely on.
    #[must_use]
    pub fn summarize(&self, now: UnixTime, file: Option<String>) -> CertificateSummary {
        CertificateSummary {
            serial: self.serial,
            key_id: self.key_id.clone(),
            principals: self.principals.clone(),
            valid_after: self.valid_after.to_string(),
            valid_before: self.valid_before.to_string(),
            remaining_seconds: self.valid_before.since(now).as_secs(),
            key_type: self.key_type.clone(),
            public_key_fingerprint: self.public_key.1.clone(),
            ca_fingerprint: self.authority.1.clone(),
            file,
            warnings: self.warnings(),
        }
    }

    /// Says what is odd about it: critical options (PROTOCOL.certkeys), of which sshd knows three and refuses all others, and
    /// that it does not expire.
    fn warnings(&self) -> Vec<Line> {
        let of_option = |(name, value): &(Line, Line)| match name.as_str() {
            "force-command" => {
                format!(
                    "the certificate runs the command `{value}` instead of what you ask for (force-command)"
                )
            }
            "source-address" => {
                format!("the certificate is accepted only from `{value}` (source-address)")
            }
            "verify-required" => {
                "the certificate is for a security key that verifies its user (verify-required)"
                    .to_owned()
            }
            _ => format!(
                "sshd refuses the certificate, which has the unknown critical option `{name}`"
            ),
        };
        let mut warnings: Vec<Line> = self
            .critical_options
            .iter()
            .map(|option| of_option(option).into())
            .collect();
        if self.valid_before == UnixTime::FOREVER {
            warnings.push(
                "the certificate never expires: anyone who gets its key can log in forever".into(),
            );
        }
        warnings
    }

    /// Returns all of it as JSON: the summary and, beside it, the type, the authority's key type, the signature
    /// algorithm, the critical options and the extensions.
    #[must_use]
    pub fn to_json(&self, now: UnixTime, file: Option<String>) -> serde_json::Value {
        let object = |pairs: &[(Line, Line)]| {
            pairs
                .iter()
                .map(|(name, value)| (name.to_string(), value.as_str().into()))
                .collect()
        };
        let json = Json {
            summary: self.summarize(now, file),
            certificate_type: self.kind,
            ca_key_type: &self.authority.0,
            signature_algorithm: &self.signature_algorithm,
            critical_options: object(&self.critical_options),
            extensions: object(&self.extensions),
        };
        serde_json::to_value(json).unwrap_or_default()
    }

    /// Returns all of it as readable lines, with the same contents as those of `ssh-keygen -L`.
    #[must_use]
    pub fn to_text(&self, now: UnixTime) -> String {
        Text { this: self, now }.to_string()
    }
}

struct Text<'a> {
    this: &'a Explanation,
    now: UnixTime,
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Explanation {
            kind,
            key_type,
            public_key,
            authority,
            signature_algorithm,
            ..
        } = self.this;
        writeln!(f, "Type: {key_type} {kind} certificate")?;
        writeln!(f, "Public key: {}-CERT {}", public_key.0, public_key.1)?;
        writeln!(
            f,
            "Signing CA: {} {} (using {signature_algorithm})",
            authority.0, authority.1
        )?;
        writeln!(f, "Key ID: \"{}\"", self.this.key_id)?;
        writeln!(f, "Serial: {}", self.this.serial)?;
        self.validity(f)?;
        let principals = self.this.principals.iter().map(Line::to_string);
        list(f, "Principals", principals)?;
        list(
            f,
            "Critical Options",
            self.this.critical_options.iter().map(option),
        )?;
        list(f, "Extensions", self.this.extensions.iter().map(option))
    }
}

impl Text<'_> {
    fn validity(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (from, to) = (self.this.valid_after, self.this.valid_before);
        let state = if from > self.now {
            format!("begins in {}", Spoken(from.since(self.now)))
        } else if to == UnixTime::FOREVER {
            "never expires".to_owned()
        } else if to > self.now {
            format!("{} left", Spoken(to.since(self.now)))
        } else {
            format!("expired {} ago", Spoken(self.now.since(to)))
        };
        writeln!(f, "Valid: from {from} to {to} ({state})")
    }
}

fn lines(options: &[(String, String)]) -> Vec<(Line, Line)> {
    let lines = options
        .iter()
        .map(|(name, value)| (name.into(), value.into()));
    lines.collect()
}

fn option((name, value): &(Line, Line)) -> String {
    if value.is_empty() {
        name.to_string()
    } else {
        format!("{name} {value}")
    }
}

fn list(
    f: &mut fmt::Formatter<'_>,
    title: &str,
    items: impl Iterator<Item = String>,
) -> fmt::Result {
    let items: Vec<String> = items.collect();
    if items.is_empty() {
        return writeln!(f, "{title}: (none)");
    }
    writeln!(f, "{title}:")?;
    items
        .iter()
        .try_for_each(|item| writeln!(f, "        {item}"))
}

/// Returns the short name that ssh-keygen has for the type of a key, and the key's fingerprint.
fn name_and_fingerprint(key: &PublicKey) -> (String, String) {
    let algorithm = key.algorithm();
    let name = match algorithm.as_str() {
        "ssh-ed25519" => "ED25519",
        "ssh-rsa" => "RSA",
        "sk-ecdsa-sha2-nistp256@openssh.com" => "ECDSA-SK",
        "sk-ssh-ed25519@openssh.com" => "ED25519-SK",
        ecdsa if ecdsa.starts_with("ecdsa-") => "ECDSA",
        other => other,
    };
    (name.to_owned(), key.fingerprint())
}
