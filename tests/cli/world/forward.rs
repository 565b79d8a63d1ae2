//! A local port that `entra-ssh forward` opens.

use std::io::Read as _;
use std::net::{SocketAddr, TcpStream};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::{Invocation, LIMIT, Running, wait_for};

/// A running `entra-ssh forward`.
pub(crate) struct Forward {
    pub(crate) running: Running,
    pub(crate) address: SocketAddr,
}

impl Forward {
    #[track_caller]
    pub(crate) fn start(invocation: Invocation) -> Self {
        let running = invocation.args(["-o", "json"]).start();
        wait_for("the port", || running.stdout().ends_with('\n'));
        let row: Value = serde_json::from_str(&running.stdout()).unwrap();
        Self {
            address: row["bind"].as_str().unwrap().parse().unwrap(),
            running,
        }
    }

    /// Connects, and returns the connection once the machine's SSH greeting has come.
    pub(crate) fn connect(&self) -> TcpStream {
        let mut client = TcpStream::connect(self.address).unwrap();
        client.set_read_timeout(Some(LIMIT)).unwrap();
        let mut greeting = [0; 8];
        client.read_exact(&mut greeting).unwrap();
        assert_eq!(&greeting, b"SSH-2.0-");
        client
    }

    /// Connects while the machine cannot be reached: the connection closes without a byte.
    #[track_caller]
    pub(crate) fn connect_in_vain(&self) {
        let mut client = TcpStream::connect(self.address).unwrap();
        client.set_read_timeout(Some(LIMIT)).unwrap();
        assert_eq!(client.read(&mut [0]).unwrap(), 0, "nothing may come");
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let process = Pid::from_raw(self.running.id().try_into().unwrap()).unwrap();
        kill_process(process, signal).unwrap();
    }
}
