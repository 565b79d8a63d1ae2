//! Signing in through a real HTTP proxy that asks for a password.

use crate::world::{CONTOSO, DEPLOY, DEPLOY_SECRET, HttpProxy, Invocation, World};

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
