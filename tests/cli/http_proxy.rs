//! Signing in through a real HTTP proxy that asks for a password.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread;

use crate::world::{CONTOSO, DEPLOY, DEPLOY_SECRET, HttpProxy, Invocation, PROMPT, World};

/// Returns the sign-in of a service principal through a proxy.
fn login(world: &World, proxy: &str) -> Invocation {
    world
        .command(&["login", "--service-principal", "--client-id", DEPLOY])
        .args(["--tenant", CONTOSO])
        .env("ENTRA_SSH_CLIENT_SECRET", DEPLOY_SECRET)
        .env("HTTPS_PROXY", proxy)
}

#[test]
fn a_sign_in_goes_through_the_proxy() {
    let world = World::new();
    let proxy = HttpProxy::start(&world);
    login(&world, &proxy.address()).run().succeeded();
    let target = world.sandbox.authority().trim_start_matches("https://");
    let tunnels = proxy.tunnels();
    assert!(!tunnels.is_empty());
    assert!(tunnels.iter().all(|tunnel| tunnel == target), "{tunnels:?}");
}

#[test]
fn what_no_proxy_names_is_reached_directly() {
    let world = World::new();
    let proxy = HttpProxy::start(&world);
    let login = login(&world, &proxy.address()).env("NO_PROXY", "example.org,localhost");
    login.run().succeeded();
    assert!(proxy.tunnels().is_empty());
}

#[test]
fn a_session_goes_through_the_proxy_and_one_that_no_proxy_names_does_not() {
    let world = World::with_host("web01");
    let relay = world.sandbox.relay_endpoint();
    let proxy = HttpProxy::start(&world);
    world
        .ssh_command(&["web01", "true"])
        .env("HTTPS_PROXY", proxy.address())
        .run()
        .succeeded();
    // What the agent asks for this session goes the same way, whoever started the agent.
    let tunnels = proxy.tunnels();
    assert!(
        tunnels
            .iter()
            .any(|tunnel| tunnel == relay.trim_start_matches("wss://")),
        "{tunnels:?}"
    );
    for (name, value) in [("NO_PROXY", "127.0.0.0/8"), ("no_proxy", "*")] {
        world
            .ssh_command(&["web01", "true"])
            .env("HTTPS_PROXY", proxy.address())
            .env(name, value)
            .run()
            .succeeded();
    }
    assert_eq!(proxy.tunnels(), tunnels);
    world.forget_certificates();
    world
        .ssh_command(&["web01", "true"])
        .env("ALL_PROXY", proxy.address())
        .run()
        .succeeded();
    let target = world.sandbox.authority().trim_start_matches("https://");
    assert!(proxy.tunnels().iter().any(|tunnel| tunnel == target));
}

#[test]
fn a_password_that_the_proxy_does_not_take_is_told_in_a_sentence() {
    let world = World::with_host("web01");
    let proxy = HttpProxy::start(&world);
    let output = login(&world, &proxy.address_with("wrong")).run();
    world.assert_told(
        &output,
        1,
        "error: cannot request a token from Entra\n\
         caused by: the proxy refused a connection to `localhost:[PORT]`\n\
         caused by: the proxy `127.0.0.1:[PORT]` refused: 401 Unauthorized\n\
         hint: check the proxy's user name and password in HTTPS_PROXY or ALL_PROXY\n",
    );
    assert!(output.seconds < PROMPT, "{output}");
    // The agent has what the session needs: the relay remains.
    world.ssh("web01", "true").succeeded();
    let output = world
        .ssh_command(&["web01", "true"])
        .env("HTTPS_PROXY", proxy.address_with("wrong"))
        .run();
    output.ended_with(255);
    let said = world.filtered(&output);
    assert!(
        said.contains("error: the proxy `127.0.0.1:[PORT]` refused: 401 "),
        "{output}"
    );
    assert!(
        said.contains(
            "\nhint: check the proxy's user name and password in HTTPS_PROXY or ALL_PROXY\n"
        ),
        "{output}"
    );
    assert!(!said.contains("wrong"), "{output}");
}

/// Starts a proxy that answers everything with this, and returns its address.
fn refusing(answer: &'static str) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut request = [0; 4096];
            // A client that has gone needs no answer.
            let _answered = stream
                .read(&mut request)
                .and_then(|_| stream.write_all(answer.as_bytes()));
        }
    });
    address
}

#[test]
fn a_proxy_that_wants_negotiate_or_ntlm_is_told_by_that_name() {
    let world = World::with_host("web01");
    let proxy = refusing(
        "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Negotiate\r\nProxy-Authenticate: NTLM\r\n\
         Content-Length: 0\r\nConnection: close\r\n\r\n",
    );
    let signed_in = login(&world, &proxy).run();
    signed_in.ended_with(1);
    let connected = world
        .ssh_command(&["web01", "true"])
        .env("HTTPS_PROXY", &proxy);
    let connected = connected.run();
    connected.ended_with(255);
    for output in [signed_in, connected] {
        let told = world.filtered(&output);
        assert!(
            told.contains(
                "the proxy `127.0.0.1:[PORT]` only accepts Negotiate or NTLM authentication\n"
            ),
            "{output}"
        );
        assert!(
            told.contains("authenticates with Negotiate or NTLM"),
            "{output}"
        );
        assert!(!told.contains("check the proxy's user name"), "{output}");
    }
}
