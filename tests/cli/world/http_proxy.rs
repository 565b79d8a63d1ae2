//! A real HTTP proxy that asks for a password, for one world alone: tinyproxy.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;

use super::{Running, World, free_address, wait_for};

/// Whom it lets through.
const PROXY_USER: &str = "proxy-user";
/// Their password.
const PROXY_PASSWORD: &str = "proxy-pass-0451";

/// A running proxy; it ends when this is dropped.
pub(crate) struct HttpProxy {
    address: SocketAddr,
    log: PathBuf,
    _process: Running,
}

impl HttpProxy {
    /// Starts a proxy, and returns once it listens.
    pub(crate) fn start(world: &World) -> Self {
        let folder = world.root().join("proxy");
        fs::create_dir(&folder).unwrap();
        let address = free_address();
        let (config, log) = (folder.join("tinyproxy.conf"), folder.join("tinyproxy.log"));
        let text = format!(
            "Port {}\nListen {}\nAllow 127.0.0.1\nMaxClients 100\nTimeout 120\n\
             LogFile \"{}\"\nLogLevel Connect\nPidFile \"{}\"\nBasicAuth {PROXY_USER} {PROXY_PASSWORD}\n",
            address.port(),
            address.ip(),
            log.display(),
            folder.join("tinyproxy.pid").display()
        );
        fs::write(&config, text).unwrap();
        let process = world
            .program("tinyproxy")
            .args(["-d", "-c"])
            .arg(config)
            .start();
        wait_for("tinyproxy to listen", || {
            TcpStream::connect(address).is_ok()
        });
        Self {
            address,
            log,
            _process: process,
        }
    }

    /// Returns the value of `HTTPS_PROXY` with the password in it.
    pub(crate) fn address(&self) -> String {
        self.address_with(PROXY_PASSWORD)
    }

    /// Returns the value of `HTTPS_PROXY` with another password.
    pub(crate) fn address_with(&self, password: &str) -> String {
        format!("http://{PROXY_USER}:{password}@{}", self.address)
    }

    /// Returns the targets of all tunnels that were asked for so far, `host:port`, those that were refused for the
    /// password too.
    pub(crate) fn tunnels(&self) -> Vec<String> {
        fs::read_to_string(&self.log)
            .unwrap_or_default()
            .lines()
            .filter_map(|line| {
                Some(
                    line.split_once(" CONNECT ")?
                        .1
                        .split(' ')
                        .next()?
                        .to_owned(),
                )
            })
            .collect()
    }
}

#[test]
fn the_proxy_lets_nobody_through_without_the_password_and_writes_down_who_goes_where() {
    use std::io::{Read as _, Write as _};

    let world = World::new();
    let proxy = HttpProxy::start(&world);
    let target = world.sandbox.authority().trim_start_matches("https://");
    let ask = |credentials: &str| {
        let mut stream = TcpStream::connect(proxy.address).unwrap();
        let encoded =
            base64::Engine::encode(&base64::prelude::BASE64_STANDARD, credentials.as_bytes());
        write!(
            stream,
            "CONNECT {target} HTTP/1.1\r\nHost: {target}\r\nProxy-Authorization: Basic {encoded}\r\n\r\n"
        )
        .unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    };
    assert!(ask(&format!("{PROXY_USER}:{PROXY_PASSWORD}")).ends_with(" 200"));
    assert!(!ask(&format!("{PROXY_USER}:wrong")).ends_with(" 200"));
    assert_eq!(proxy.tunnels(), [target, target]);
    assert!(proxy.address().contains(PROXY_PASSWORD));
    assert!(proxy.address_with("wrong").contains(":wrong@"));
}
