//! An SSH server inside this process.
//!
//! It runs commands (`sh -c`), a shell, `sftp-server` where OpenSSH's is installed, and opens
//! connections to loopback for `ssh -L` and `ssh -J`. A command's background processes end with it.
//! Terminals are real on Linux; elsewhere they are refused, which `ssh -t` takes for a failure.
//! Files of a login name are in `home/<login name>` below the machine's folder.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use russh::keys::key::safe_rng;
use russh::keys::{Algorithm, PrivateKey, PublicKey};
use russh::server::{Config, run_stream};
use russh::{Disconnect, MethodKind, MethodSet};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::MachineOptions;
use super::gate::Gate;
use super::guest::{Guest, House};

/// The running server.
#[derive(Debug)]
pub(super) struct EmbeddedMachine {
    address: SocketAddr,
    host_key: String,
    house: Arc<House>,
    listening: JoinHandle<()>,
    /// Every connection ends when this is dropped.
    _alive: watch::Sender<()>,
}

impl EmbeddedMachine {
    pub(super) async fn start(options: MachineOptions) -> io::Result<Self> {
        let user_ca = PublicKey::from_openssh(&options.user_ca)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let key =
            PrivateKey::random(&mut safe_rng(), Algorithm::Ed25519).map_err(io::Error::other)?;
        let host_key = key.public_key().to_openssh().map_err(io::Error::other)?;
        let gate = Gate::new(&user_ca, options.principals);
        let house = Arc::new(House::new(options.folder, gate));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let (alive, ended) = watch::channel(());
        let config = Arc::new(server_config(key));
        let listening = tokio::spawn(listen(listener, config, Arc::clone(&house), ended));
        Ok(Self {
            address,
            host_key,
            house,
            listening,
            _alive: alive,
        })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn host_key(&self) -> String {
        self.host_key.clone()
    }

    pub(super) fn log(&self) -> String {
        self.house.log()
    }
}

impl Drop for EmbeddedMachine {
    fn drop(&mut self) {
        self.listening.abort();
        self.house.kill_all();
    }
}

fn server_config(key: PrivateKey) -> Config {
    Config {
        auth_rejection_time: Duration::from_millis(20),
        auth_rejection_time_initial: Some(Duration::ZERO),
        inactivity_timeout: None,
        keys: vec![key],
        methods: MethodSet::from(&[MethodKind::PublicKey][..]),
        ..Config::default()
    }
}

async fn listen(
    listener: TcpListener,
    config: Arc<Config>,
    house: Arc<House>,
    ended: watch::Receiver<()>,
) {
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            let guest = Guest::new(Arc::clone(&house));
            tokio::spawn(serve(stream, Arc::clone(&config), guest, ended.clone()));
        } else {
            // Out of file descriptors, most likely: give others time to close some.
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

async fn serve(
    stream: TcpStream,
    config: Arc<Config>,
    guest: Guest,
    mut ended: watch::Receiver<()>,
) {
    // Without it answers wait for each other; it cannot fail on a socket that is open.
    let _ = stream.set_nodelay(true);
    let session = tokio::select! {
        session = run_stream(config, stream, guest) => session,
        _ = ended.changed() => return,
    };
    let Ok(session) = session else { return };
    let handle = session.handle();
    tokio::select! {
        _ = session => (),
        _ = ended.changed() => {
            let reason = "the machine stops".to_owned();
            let _ = handle.disconnect(Disconnect::ByApplication, reason, String::new()).await;
        }
    }
}

#[cfg(all(test, unix))]
mod tests;
