//! A connection to the embedded machine: who it is, and what is done for it.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use russh::keys::Certificate;
use russh::server::{Auth, ChannelOpenHandle, Handler, Msg, Session};
use russh::{Channel, ChannelId, ChannelOpenFailure};
use tokio::net::TcpStream;

use super::gate::Gate;
use super::process::{ProcessGroups, Program, Seat};
use super::pump;
#[cfg(target_os = "linux")]
use super::terminal::Terminal;
use crate::clock::unix_now;

/// Where Debian, Ubuntu and others keep OpenSSH's SFTP server.
pub(super) const SFTP_SERVER: &str = "/usr/lib/openssh/sftp-server";

/// How long a forwarded connection may take to open.
const DIAL_TIME: Duration = Duration::from_secs(10);

/// What all connections share.
#[derive(Debug)]
pub(super) struct House {
    folder: PathBuf,
    gate: Gate,
    groups: ProcessGroups,
    log: Mutex<String>,
}

impl House {
    pub(super) fn new(folder: PathBuf, gate: Gate) -> Self {
        Self {
            folder,
            gate,
            groups: ProcessGroups::default(),
            log: Mutex::default(),
        }
    }

    /// Ends all programs.
    pub(super) fn kill_all(&self) {
        self.groups.kill_all();
    }

    pub(super) fn log(&self) -> String {
        self.log
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn write_down(&self, line: &str) {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.push_str(line);
        log.push('\n');
    }
}

/// One connection, and who it is once it has logged in.
pub(super) struct Guest {
    house: Arc<House>,
    login: Option<String>,
    /// Session channels on which nothing runs yet.
    idle: HashMap<ChannelId, Channel<Msg>>,
    /// The terminals of session channels, and what clients call their kinds.
    #[cfg(target_os = "linux")]
    terminals: HashMap<ChannelId, (Terminal, String)>,
}

impl Guest {
    pub(super) fn new(house: Arc<House>) -> Self {
        Self {
            house,
            login: None,
            idle: HashMap::new(),
            #[cfg(target_os = "linux")]
            terminals: HashMap::new(),
        }
    }

    /// Runs a program on a channel, and tells the client whether it does.
    fn run(
        &mut self,
        id: ChannelId,
        program: &Program,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        let (Some(channel), Some(login)) = (self.idle.remove(&id), &self.login) else {
            return session.channel_failure(id);
        };
        let started = home(&self.house.folder, login).and_then(|home| {
            let seat = Seat {
                login,
                home: &home,
                #[cfg(target_os = "linux")]
                terminal: self.terminals.get(&id),
            };
            self.house.groups.start(program, &seat)
        });
        match started {
            Ok(process) => {
                tokio::spawn(process.serve(channel));
                session.channel_success(id)
            }
            Err(error) => {
                self.house
                    .write_down(&format!("{program:?} does not start: {error}"));
                session.channel_failure(id)
            }
        }
    }
}

/// Makes the home of a login name if this is its first visit.
fn home(folder: &Path, login: &str) -> io::Result<PathBuf> {
    let home = std::path::absolute(folder)?.join("home").join(login);
    std::fs::create_dir_all(&home)?;
    Ok(home)
}

impl Handler for Guest {
    type Error = russh::Error;

    async fn auth_openssh_certificate(
        &mut self,
        user: &str,
        certificate: &Certificate,
    ) -> Result<Auth, Self::Error> {
        let key_id = certificate.key_id();
        match self.house.gate.admit(user, certificate, unix_now()) {
            Ok(login) => {
                self.house
                    .write_down(&format!("accepted `{user}` with certificate `{key_id}`"));
                self.login = Some(login.to_owned());
                Ok(Auth::Accept)
            }
            Err(refusal) => {
                self.house.write_down(&format!(
                    "refused `{user}` with certificate `{key_id}`: {refusal}"
                ));
                Ok(Auth::reject())
            }
        }
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.idle.insert(channel.id(), channel);
        reply.accept().await;
        Ok(())
    }

    async fn channel_open_direct_tcpip(
        &mut self,
        channel: Channel<Msg>,
        host_to_connect: &str,
        port_to_connect: u32,
        _originator_address: &str,
        _originator_port: u32,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        let port = u16::try_from(port_to_connect).ok();
        if let Some(port) = port.filter(|_| loopback(host_to_connect)) {
            tokio::spawn(forward(channel, host_to_connect.to_owned(), port, reply));
        } else {
            let reason = ChannelOpenFailure::AdministrativelyProhibited;
            reply.reject(reason).await;
        }
        Ok(())
    }

    async fn channel_close(
        &mut self,
        channel: ChannelId,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        self.idle.remove(&channel);
        #[cfg(target_os = "linux")]
        self.terminals.remove(&channel);
        Ok(())
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        data: &[u8],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        match std::str::from_utf8(data) {
            Ok(line) => self.run(channel, &Program::Line(line.to_owned()), session),
            Err(_) => session.channel_failure(channel),
        }
    }

    async fn shell_request(
        &mut self,
        channel: ChannelId,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.run(channel, &Program::Shell, session)
    }

    async fn subsystem_request(
        &mut self,
        channel: ChannelId,
        name: &str,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        let server = Path::new(SFTP_SERVER);
        if name == "sftp" && server.exists() {
            self.run(channel, &Program::File(server.to_owned()), session)
        } else {
            session.channel_failure(channel)
        }
    }

    #[cfg(target_os = "linux")]
    async fn pty_request(
        &mut self,
        channel: ChannelId,
        term: &str,
        col_width: u32,
        row_height: u32,
        _pix_width: u32,
        _pix_height: u32,
        _modes: &[(russh::Pty, u32)],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        let Ok(terminal) = Terminal::open() else {
            return session.channel_failure(channel);
        };
        terminal.resize(col_width, row_height);
        self.terminals.insert(channel, (terminal, term.to_owned()));
        session.channel_success(channel)
    }

    #[cfg(target_os = "linux")]
    async fn window_change_request(
        &mut self,
        channel: ChannelId,
        col_width: u32,
        row_height: u32,
        _pix_width: u32,
        _pix_height: u32,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        if let Some((terminal, _)) = self.terminals.get(&channel) {
            terminal.resize(col_width, row_height);
        }
        Ok(())
    }

    #[cfg(not(target_os = "linux"))]
    async fn pty_request(
        &mut self,
        channel: ChannelId,
        _term: &str,
        _col_width: u32,
        _row_height: u32,
        _pix_width: u32,
        _pix_height: u32,
        _modes: &[(russh::Pty, u32)],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_failure(channel)
    }
}

fn loopback(host: &str) -> bool {
    matches!(host, "localhost" | "127.0.0.1" | "::1")
}

/// Opens the connection that a `direct-tcpip` channel asks for, and carries its bytes.
async fn forward(channel: Channel<Msg>, host: String, port: u16, reply: ChannelOpenHandle) {
    let dial = tokio::time::timeout(DIAL_TIME, TcpStream::connect((host.as_str(), port)));
    let Ok(Ok(stream)) = dial.await else {
        return reply.reject(ChannelOpenFailure::ConnectFailed).await;
    };
    reply.accept().await;
    pump::join(channel, stream).await;
}
