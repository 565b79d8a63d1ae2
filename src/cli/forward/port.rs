use std::net::SocketAddr;
use std::path::PathBuf;

use serde_json::json;
use tokio::net::TcpStream;

use super::super::connector;
use super::super::context::Context;
use super::super::one_connection;
use super::super::ui::Ui;
use super::bind::who_can_connect;
use super::machine::Machine;
use crate::agent::ask::CertificateAnswer;
use crate::connect::{Connector, Destination};
use crate::failure::{Failure, last};
use crate::host::liveness;
use crate::ids::Principal;
use crate::relay::Capacity;
use crate::ssh_config::{Value, shell_word};

/// The open port.
pub(super) struct Port<'a> {
    ui: Ui,
    context: &'a Context,
    known_hosts: PathBuf,
    machine: Machine,
    connector: Connector<'a>,
}

impl<'a> Port<'a> {
    /// Prepares the connections: what stands in their way shows before the port is open.
    pub(super) async fn prepare(
        ui: &'a Ui,
        context: &'a Context,
        machine: Machine,
    ) -> Result<Self, Failure> {
        let destination = machine.destination.clone();
        context.hosts().keep_host_keys(&destination.machine);
        let connector = connector::open(ui, context, destination, Capacity::AMONG_MANY).await?;
        connector.prepare().await?;
        Ok(Self {
            ui: *ui,
            context,
            known_hosts: context.hosts().known_hosts()?,
            machine,
            connector,
        })
    }

    /// Prints the address of the port, and warns if other machines can connect to it.
    pub(super) fn tell(&self, bound: SocketAddr) -> Result<(), Failure> {
        let Destination { machine, port, .. } = &self.machine.destination;
        let row = json!({"bind": bound, "resource_id": machine, "port": port});
        let name = self.machine.destination.name();
        let text = format!("{bound} leads to port {port} of {name}; press Ctrl-C to stop\n");
        if let Some(who) = who_can_connect(bound.ip()) {
            self.ui.say(&format!(
                "warning: {who} can connect to port {port} of {name} here; for this machine only, use --bind 127.0.0.1:{}",
                bound.port()
            ));
        }
        self.ui.result(&row, &text)
    }

    /// Acquires a certificate for logins through the port, and returns the command to log in with. Without one, the port still
    /// serves logins of other kinds.
    pub(super) async fn certify(&self, bound: SocketAddr) -> Option<String> {
        if !self.machine.is_certified {
            return None;
        }
        let profile = &self.machine.destination.profile;
        let job = async || self.certificate().await;
        match self.context.answering(self.ui, profile, job).await {
            Ok(answer) => self
                .login_line(bound, &answer.login_name)
                .map_err(|error| self.tell_failure(&error))
                .ok(),
            Err(failure) => {
                self.tell_failure(&failure);
                self.ui.say(
                    "continuing without a certificate, for logins with other keys; --no-certificate skips it",
                );
                None
            }
        }
    }

    async fn certificate(&self) -> Result<CertificateAnswer, Failure> {
        let Destination {
            profile, tenancy, ..
        } = &self.machine.destination;
        self.context.certificate_for_login(profile, tenancy).await
    }

    /// Returns the command to log in with through the port. It uses the host keys of managed hosts.
    fn login_line(&self, bound: SocketAddr, login_name: &Principal) -> Result<String, Failure> {
        let alias = self.machine.destination.host_key_alias();
        let mut options = vec![
            ("IdentityAgent", Value::path(self.context.agent.socket())?),
            ("HostKeyAlias", Value::word(&alias)?),
            ("UserKnownHostsFile", Value::path(&self.known_hosts)?),
        ];
        if !login_name.is_for_command_line() {
            options.extend([
                ("HostName", Value::word(&bound.ip().to_string())?),
                ("Port", Value::port(bound.port())?),
                ("User", Value::login_name(login_name.as_str())?),
            ]);
            let host = config_host(bound);
            let config = one_connection::write(self.context, &host, &options, None)?;
            let config = shell_word(&config.display().to_string());
            return Ok(format!("ssh -F {config} {host}"));
        }
        let mut line = format!("ssh -p {}", bound.port());
        for (option, value) in options {
            line.push_str(" -o ");
            line.push_str(&shell_word(&format!("{option}={value}")));
        }
        let whom = format!("{login_name}@{}", bound.ip());
        Ok(format!("{line} {}", shell_word(&whom)))
    }

    /// Carries one client's connection to its end. A failure is printed, and ends nothing else.
    pub(super) async fn carry(&self, client: TcpStream) {
        let certified = async {
            // ssh asks the agent for it as soon as it has a connection.
            if self.machine.is_certified
                && let Err(failure) = self.certificate().await
            {
                self.tell_failure(&failure);
            }
        };
        let (connected, ()) = tokio::join!(self.connector.connect(), certified);
        let carried: Result<(), Failure> = async {
            liveness::set(&client)
                .map_err(|error| Failure::new("lost a connection").caused_by(&error))?;
            Ok(connected?.carry(client).await?)
        }
        .await;
        if let Err(failure) = carried {
            self.tell_failure(&failure);
        }
    }

    fn tell_failure(&self, failure: &Failure) {
        self.ui.fail(failure);
        last::keep(&self.context.host, failure);
    }
}

/// Returns the host alias in the config that the login command names, if it needs one.
pub(super) fn config_host(bound: SocketAddr) -> String {
    format!("forward-{}", bound.port())
}
