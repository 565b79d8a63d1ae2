//! What a user does in a browser, by hand: opening the address, pressing a button of the sandbox's page, and going
//! where it sends the browser.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;

use entra_ssh::internal::host::env::Env;
use entra_ssh::internal::host::tls;
use url::Url;

use super::{Invocation, World, wait_for};

/// Returns `entra-ssh login` at a terminal, with a browser that only records the address.
pub(crate) fn login(world: &World, arguments: &str) -> Invocation {
    let browser = world.home().join("browser");
    fs::write(
        &browser,
        "#!/bin/sh\nprintf %s \"$1\" >\"$HOME/part\" && mv \"$HOME/part\" \"$HOME/address\"\n",
    )
    .unwrap();
    fs::set_permissions(&browser, fs::Permissions::from_mode(0o700)).unwrap();
    let command = format!("{} login {arguments}", crate::world::program().display());
    world
        .program("script")
        .args(["-qec", &command, "/dev/null"])
        .env("BROWSER", browser)
        .env("ENTRA_SSH_CLOUD", world.sandbox.cloud_file())
        .env("ENTRA_SSH_KEYRING", "file")
        .open_stdin()
}

/// Returns the address that the browser recorded.
pub(crate) fn opened(world: &World) -> Url {
    let file = world.home().join("address");
    wait_for("the browser to be opened", || file.exists());
    Url::parse(&fs::read_to_string(file).unwrap()).unwrap()
}

/// Presses a button of the sandbox's page, and returns where it sends the browser.
pub(crate) fn press(world: &World, page: &Url, field: (&str, &str)) -> Url {
    let tls = tls::client_config(Some(&world.sandbox.ca_file()), &Env::default()).unwrap();
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured((*tls).clone())
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let answer = runtime
        .block_on(client.post(page.clone()).form(&[field]).send())
        .unwrap();
    assert_eq!(answer.status(), 302, "the page refused");
    Url::parse(answer.headers()["location"].to_str().unwrap()).unwrap()
}

/// Sends a GET request to an address on this machine, and returns the response.
pub(crate) fn visit(address: &Url) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", address.port().unwrap())).unwrap();
    let target = format!("{}?{}", address.path(), address.query().unwrap_or_default());
    write!(stream, "GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
