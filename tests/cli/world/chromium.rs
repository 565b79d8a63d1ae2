//! A real browser without a window, steered over `WebDriver` (<https://www.w3.org/TR/webdriver2/>).

use std::fs;
use std::io::{self, BufRead, BufReader, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use serde_json::{Value, json};

use super::{Running, World, wait_for};

/// How long the driver may take to answer; a browser that has to be started takes longest.
const PATIENCE: Duration = super::LIMIT;
/// The key under which `WebDriver` names an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
/// Not one of these reaches for the network, or for anything outside of the test's folder.
const FLAGS: [&str; 10] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=900,600",
];

/// A running Chromium with one page; it ends when this is dropped.
pub(crate) struct Chromium {
    port: u16,
    session: String,
    _driver: Running,
}

impl Chromium {
    /// Starts a browser that knows nobody, and that takes the sandbox's certificates as they are.
    pub(crate) fn start(world: &World) -> Self {
        let driver = world
            .program("chromedriver")
            .arg("--port=0")
            .open_stdin()
            .start();
        let mut port = None;
        wait_for("chromedriver to listen", || {
            port = listening_port(&driver.stdout());
            port.is_some()
        });
        let port = port.unwrap();
        let profile = world.root().join("chromium");
        let mut arguments: Vec<String> = FLAGS.map(str::to_owned).into();
        arguments.push(format!("--user-data-dir={}", profile.display()));
        let options = json!({"args": arguments});
        let wanted = json!({"acceptInsecureCerts": true, "goog:chromeOptions": options});
        let body = json!({"capabilities": {"alwaysMatch": wanted}});
        let session = request(port, "POST", "/session", &body);
        Self {
            port,
            session: session["sessionId"].as_str().unwrap().to_owned(),
            _driver: driver,
        }
    }

    /// Goes to an address, and returns once its page is there.
    pub(crate) fn open(&self, address: &str) {
        self.post("url", &json!({"url": address}));
    }

    /// Presses the button with that text on it.
    pub(crate) fn press(&self, text: &str) {
        let wanted = format!("//button[contains(normalize-space(), \"{text}\")]");
        let element = self.element("xpath", &wanted);
        self.post(&format!("element/{element}/click"), &json!({}));
    }

    /// Returns what can be read on the page.
    pub(crate) fn text(&self) -> String {
        let element = self.element("css selector", "body");
        self.value(&format!("element/{element}/text"))
    }

    pub(crate) fn title(&self) -> String {
        self.value("title")
    }

    /// Returns the address that the page was read from.
    pub(crate) fn address(&self) -> String {
        self.value("url")
    }

    /// Asks pages for their dark or light look.
    pub(crate) fn prefer(&self, scheme: &str) {
        let feature = json!({"name": "prefers-color-scheme", "value": scheme});
        self.post(
            "goog/cdp/execute",
            &json!({"cmd": "Emulation.setEmulatedMedia", "params": {"features": [feature]}}),
        );
    }

    /// Returns a property of the page's body as the browser has worked it out, for example `color`.
    pub(crate) fn style(&self, property: &str) -> String {
        let element = self.element("css selector", "body");
        self.value(&format!("element/{element}/css/{property}"))
    }

    /// Writes what the page looks like, as PNG.
    pub(crate) fn screenshot(&self, path: &Path) {
        let png = base64::prelude::BASE64_STANDARD.decode(self.value("screenshot"));
        fs::write(path, png.unwrap()).unwrap();
    }

    fn element(&self, strategy: &str, wanted: &str) -> String {
        let found = self.post("element", &json!({"using": strategy, "value": wanted}));
        found[ELEMENT].as_str().unwrap().to_owned()
    }

    fn value(&self, what: &str) -> String {
        let path = format!("/session/{}/{what}", self.session);
        let value = request(self.port, "GET", &path, &Value::Null);
        value.as_str().unwrap().to_owned()
    }

    fn post(&self, what: &str, body: &Value) -> Value {
        let path = format!("/session/{}/{what}", self.session);
        request(self.port, "POST", &path, body)
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        // It shall have let go of its folder before that is removed. Where something has failed, the browser is killed
        // with the driver, whose process group it is in.
        if !std::thread::panicking() {
            let path = format!("/session/{}", self.session);
            request(self.port, "DELETE", &path, &Value::Null);
        }
    }
}

/// Finds the port in the driver's greeting.
fn listening_port(greeting: &str) -> Option<u16> {
    let (_, behind) = greeting.split_once("started successfully on port ")?;
    behind.trim_end().trim_end_matches('.').parse().ok()
}

/// Sends the driver a command, which must succeed, and returns the value that it answers.
#[track_caller]
fn request(port: u16, method: &str, path: &str, body: &Value) -> Value {
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: localhost:{port}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let (head, body) = read_answer(&mut BufReader::new(stream)).unwrap();
    assert!(head.starts_with("HTTP/1.1 200 "), "{path}: {head}{body}");
    let mut body: Value = serde_json::from_str(&body).unwrap();
    body["value"].take()
}

/// Reads head and body. The driver keeps the connection open, whatever it is asked.
fn read_answer(stream: &mut impl BufRead) -> io::Result<(String, String)> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    let length = head
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse().ok())
        .ok_or(io::ErrorKind::InvalidData)?;
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    let body = String::from_utf8(body).map_err(io::Error::other)?;
    Ok((head, body))
}
