//! A session bus and GNOME Keyring on it, for one world alone.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::{World, wait_for};

/// The password of the login keyring.
pub(crate) const PASSWORD: &str = "correct horse";

/// A running Secret Service; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct SecretService {
    folder: PathBuf,
    home: PathBuf,
    runtime: PathBuf,
    daemon: Child,
    bus: Child,
}

impl SecretService {
    /// Starts bus and keyring, and unlocks the keyring.
    pub(crate) fn start(world: &World) -> Self {
        let folder = world.root().join("bus");
        fs::create_dir(&folder).unwrap();
        let config = folder.join("session.conf");
        fs::write(&config, bus_config(&folder)).unwrap();
        let bus = command("dbus-daemon", &world.home(), &world.runtime())
            .arg("--nofork")
            .arg(format!("--config-file={}", config.display()))
            .spawn()
            .expect("dbus-daemon runs");
        wait_for("the session bus", || folder.join("socket").exists());
        let mut service = Self {
            daemon: keyring(&folder, &world.home(), &world.runtime(), Some(PASSWORD)),
            home: world.home(),
            runtime: world.runtime(),
            folder,
            bus,
        };
        service.wait_until_it_answers();
        service
    }

    /// Returns the value of `DBUS_SESSION_BUS_ADDRESS`.
    pub(crate) fn address(&self) -> String {
        address(&self.folder)
    }

    /// Starts the keyring anew: unlocked with this password, or locked.
    pub(crate) fn restart(&mut self, password: Option<&str>) {
        end(&mut self.daemon);
        wait_for("the keyring to leave the bus", || !self.is_there());
        self.daemon = keyring(&self.folder, &self.home, &self.runtime, password);
        self.wait_until_it_answers();
    }

    /// Returns what the keyring's own files hold.
    pub(crate) fn stored_bytes(&self) -> Vec<u8> {
        let files = super::files_below(&self.home.join(".local/share/keyrings"));
        assert!(!files.is_empty(), "the keyring keeps its entries in files");
        files
            .iter()
            .flat_map(|file| fs::read(file).unwrap())
            .collect()
    }

    fn wait_until_it_answers(&mut self) {
        wait_for("GNOME Keyring", || self.is_there());
    }

    fn is_there(&self) -> bool {
        let output = Command::new("dbus-send")
            .env("DBUS_SESSION_BUS_ADDRESS", self.address())
            .args(["--session", "--print-reply=literal"])
            .args(["--dest=org.freedesktop.DBus", "/org/freedesktop/DBus"])
            .args(["org.freedesktop.DBus.NameHasOwner"])
            .arg("string:org.freedesktop.secrets")
            .output()
            .expect("dbus-send runs");
        String::from_utf8_lossy(&output.stdout).contains("true")
    }
}

impl Drop for SecretService {
    fn drop(&mut self) {
        end(&mut self.daemon);
        end(&mut self.bus);
    }
}

impl World {
    /// Returns what `secret-tool` finds of ours, secrets and attributes.
    pub(crate) fn secret_service_entries(&self) -> String {
        let output = self
            .program("secret-tool")
            .args(["search", "--all", "service", "entra-ssh"])
            .run();
        format!("{}{}", output.stdout, output.stderr)
    }

    /// Returns the secret of an entry of ours whose name begins so.
    pub(crate) fn secret(&self, name: &str) -> Vec<u8> {
        let entries = self.secret_service_entries();
        let username = entries
            .lines()
            .filter_map(|line| line.strip_prefix("attribute.username = "))
            .find(|username| username.starts_with(name))
            .unwrap_or_else(|| panic!("no `{name}` in {entries}"));
        let output = Command::new("secret-tool")
            .env(
                "DBUS_SESSION_BUS_ADDRESS",
                self.secret_service.as_ref().unwrap().address(),
            )
            .args(["lookup", "service", "entra-ssh", "username", username])
            .output()
            .unwrap();
        output.stdout
    }
}

fn address(folder: &Path) -> String {
    format!("unix:path={}", folder.join("socket").display())
}

/// A bus that starts nothing by itself: what is to be on it is started here.
fn bus_config(folder: &Path) -> String {
    format!(
        "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\"\n\
         \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n\
         <busconfig><type>session</type><listen>{}</listen><auth>EXTERNAL</auth>\n\
         <policy context=\"default\"><allow send_destination=\"*\" eavesdrop=\"true\"/>\
         <allow eavesdrop=\"true\"/><allow own=\"*\"/></policy></busconfig>\n",
        address(folder)
    )
}

fn command(program: &str, home: &Path, runtime: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("HOME", home)
        .env("LANG", "C")
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        // Elsewhere than ours, which holds nothing but what `entra-ssh` puts there.
        .env("XDG_RUNTIME_DIR", runtime.with_file_name("bus"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

fn keyring(folder: &Path, home: &Path, runtime: &Path, password: Option<&str>) -> Child {
    let mut command = command("gnome-keyring-daemon", home, runtime);
    command
        .args(["--foreground", "--components=secrets"])
        .env("DBUS_SESSION_BUS_ADDRESS", address(folder))
        .stdin(Stdio::piped());
    if password.is_some() {
        command.arg("--unlock");
    }
    let mut child = command.spawn().expect("gnome-keyring-daemon runs");
    let mut stdin = child.stdin.take().unwrap();
    // Without a newline, which would be part of it.
    stdin
        .write_all(password.unwrap_or_default().as_bytes())
        .unwrap();
    child
}

fn end(child: &mut Child) {
    // It may have ended by itself.
    let _killed = child.kill();
    let _ended = child.wait();
}
