//! The agent outlives whoever started it, and asks with the proxy, the roots and the D-Bus of its callers.

use std::fs;

use sandbox::Options;

use crate::world::{ADA, HttpProxy, RefusingPort, World, options_with, wait_for};

/// An HTTP proxy that refuses connections.
struct LostProxy(RefusingPort);

impl LostProxy {
    fn new() -> Self {
        Self(RefusingPort::open())
    }

    fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.0.number())
    }
}

#[test]
fn what_a_caller_asks_goes_through_the_callers_proxy() {
    let lost = LostProxy::new();
    let world = World::signed_in(options_with(&["web01"]));
    let entra = world
        .sandbox
        .authority()
        .trim_start_matches("https://")
        .to_owned();
    let proxy = HttpProxy::start(&world);
    // Whoever starts the agent has a proxy that leads nowhere.
    let rotate = || world.command(&["rotate", "--force"]);
    let refused = rotate().env("HTTPS_PROXY", lost.address()).run();
    refused.ended_with(1);
    assert_eq!(refused.causes()[0], "cannot request a token from Entra");
    let agent = world.agents()[0].id;
    // One that came up later is used, by a caller that has it and by no other.
    rotate()
        .env("HTTPS_PROXY", proxy.address())
        .run()
        .succeeded();
    assert_eq!(proxy.tunnels(), [entra.as_str()]);
    rotate().run().succeeded();
    rotate()
        .env("HTTPS_PROXY", proxy.address())
        .env("NO_PROXY", "localhost")
        .run()
        .succeeded();
    assert_eq!(proxy.tunnels().len(), 1);
    rotate()
        .env("all_proxy", lost.address())
        .run()
        .ended_with(1);
    rotate().run().succeeded();
    // So is what ssh has the agent ask of Azure.
    world.add(&["web01"]);
    let refused = world
        .command(&["config", "add", "web01"])
        .env("HTTPS_PROXY", lost.address())
        .run();
    refused.ended_with(1);
    assert!(
        refused
            .stderr
            .contains("cannot reach Azure Resource Manager"),
        "{refused}"
    );
    assert_eq!(world.agents()[0].id, agent);
}

#[test]
fn of_two_callers_at_once_the_one_whose_proxy_leads_nowhere_fails_alone() {
    let lost = LostProxy::new();
    let world = World::signed_in(options_with(&[]));
    world.json(&["agent", "start"]);
    let callers: Vec<_> = (0..6)
        .map(|number| {
            let call = world.command(&["rotate", "--within", "1d"]);
            let is_lost = number % 2 == 0;
            let call = if is_lost {
                call.env("HTTPS_PROXY", lost.address())
            } else {
                call
            };
            (is_lost, call.start())
        })
        .collect();
    for (is_lost, caller) in callers {
        let output = caller.finish();
        // Whoever comes after one that got through is given what that got.
        assert!(is_lost || output.status == 0, "{output}");
    }
}

#[test]
fn background_renewals_go_through_the_proxy_of_the_last_caller() {
    let world = World::signed_in(Options {
        certificate_lifetime: std::time::Duration::from_secs(20),
        ..options_with(&[])
    });
    world.json(&["rotate"]);
    let proxy = HttpProxy::start(&world);
    let before = world.certificate_requests();
    world
        .command(&["rotate", "--within", "1s"])
        .env("HTTPS_PROXY", proxy.address())
        .run()
        .succeeded();
    wait_for("a renewal", || world.certificate_requests() > before);
    wait_for("the proxy's note of it", || !proxy.tunnels().is_empty());
}

#[test]
fn the_roots_of_a_caller_count_for_what_it_asks() {
    let world = World::signed_in(options_with(&[]));
    let trusted = world.root().join("trusted.pem");
    let ca_file = world.sandbox.ca_file();
    fs::copy(&ca_file, &trusted).unwrap();
    // From now on the cloud file names the root of another cloud.
    let other = World::with(options_with(&[]));
    fs::copy(other.sandbox.ca_file(), &ca_file).unwrap();
    let rotate = || world.command(&["rotate", "--force"]);
    let refused = rotate().run();
    refused.ended_with(1);
    assert!(
        refused.stderr.contains("which is not trusted here"),
        "{refused}"
    );
    rotate().env("SSL_CERT_FILE", &trusted).run().succeeded();
    rotate().run().ended_with(1);
    let folder = world.root().join("roots");
    fs::create_dir(&folder).unwrap();
    fs::copy(&trusted, folder.join("trusted.pem")).unwrap();
    rotate()
        .env("SSL_CERT_DIR", format!("/nowhere:{}", folder.display()))
        .run()
        .succeeded();
}

#[test]
fn an_agent_that_was_started_without_a_bus_asks_the_keyring_at_that_of_its_caller() {
    let world = World::with_gnome_keyring(options_with(&["web01"]));
    world.login(ADA);
    world.add(&["web01"]);
    world.stop_agent();
    // As cron starts it.
    let from_cron = |arguments: &[&str]| {
        world
            .command(arguments)
            .env_remove("DBUS_SESSION_BUS_ADDRESS")
    };
    let refused = from_cron(&["rotate"]).run();
    refused.ended_with(1);
    assert!(
        refused.stderr.contains("the Secret Service cannot be used"),
        "{refused}"
    );
    let agent = world.agents()[0].id;
    world.ssh("web01", "true").succeeded();
    // What it has learnt where the bus is, it does for one that does not know.
    from_cron(&["rotate", "--force"]).run().succeeded();
    assert_eq!(world.agents()[0].id, agent);
}

#[test]
fn a_caller_whose_bus_is_not_there_is_served_from_the_keyring_that_is_open() {
    let world = World::with_gnome_keyring(options_with(&[]));
    world.login(ADA);
    world.json(&["rotate"]);
    world
        .command(&["rotate", "--force"])
        .env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere")
        .run()
        .succeeded();
    world.json(&["rotate", "--force"]);
}
